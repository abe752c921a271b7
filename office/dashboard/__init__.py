"""The admin's first page: how the day goes, and what needs somebody.

`figures` counts, `rows` and `charts` say how it is drawn, `links` where each figure leads, and `page` puts it
together for the template.
"""

from office.dashboard.page import add_dashboard

__all__ = ["add_dashboard"]
