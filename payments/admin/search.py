"""What the search box finds.

A scrap of text is compared whole with everything it may be, each by its index: no LIKE, no scan of the
table. So the lists stay fast, and a customer's id never finds another customer's.
"""

import re
from uuid import UUID

from django.db.models import Q

from payments.domain.ids import PAYMENT_PREFIX

PLACEHOLDER = "Payment, order, customer, bank reference or last four digits"

_BANK_PREFIXES = {
    "bank_authorization_id": "auth_",
    "bank_capture_id": "cap_",
    "bank_void_id": "void_",
    "bank_refund_id": "ref_",
}
_UUID = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE
)
_LAST_FOUR = re.compile(r"[0-9]{4}")


def matching(term: str) -> Q:
    """The payments whose id, order, customer, bank reference (its prefix may be missing) or last four digits
    are the term."""
    term = term.strip()
    match = Q(order_id=term) | Q(customer_id=term)
    for field, prefix in _BANK_PREFIXES.items():
        match |= Q(**{field: prefix + term.lower().removeprefix(prefix)})
    digits = term.removeprefix(PAYMENT_PREFIX)
    if _UUID.fullmatch(digits):
        match |= Q(pk=UUID(digits))
    if _LAST_FOUR.fullmatch(term):
        match |= Q(card_last4=term)
    return match
