"""The back office: what support staff see. It reads models and changes nothing.

django-unfold dresses Django's admin; the settings of the dress are in `ficpay.unfold`.
"""

from payments.admin import merchants, payments, staff_log

__all__ = ["merchants", "payments", "staff_log"]
