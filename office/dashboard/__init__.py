"""The dashboard: the day's payments, and what needs attention.

`figures` and `banks` count, `rows` and `charts` prepare tables and charts, `links` has the link of each
figure, and `page` puts them together for the template.
"""

from office.dashboard.page import add_dashboard

__all__ = ["add_dashboard"]
