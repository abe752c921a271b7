"""What the search box finds.

A scrap of text is compared whole with everything it may be, each by an index of its own: no LIKE, no scan
of a table, and a customer's id never finds another customer's. One OR over several tables would be a scan, so
each comparison is a query of its own that reads its newest matches only, and a UNION brings them together.
"""

import re
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from payments.domain.ids import OPERATION_PREFIX, PAYMENT_PREFIX
from payments.domain.money import MAX_AMOUNT_CENTS, Currency, display
from payments.models import ApiRequest, Attempt, IdempotencyKey, Operation, Payment

PLACEHOLDER = "Payment, order, customer, bank reference, idempotency key, request, last four or amount"

# Operations that one scrap leads to; only a request id that a merchant sends with everything names more.
OPERATIONS_AT_MOST = 1000
_BANK_PREFIXES = ("auth_", "cap_", "void_", "ref_")
_BANK_REFERENCES = ("bank_authorization_id", "bank_capture_id", "bank_void_id", "bank_refund_id")
_UUID = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE
)
_LAST_FOUR = re.compile(r"[0-9]{4}")
_CENTS = re.compile(r"[0-9]{1,8}")
_DOLLARS = re.compile(r"\$ ?([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,6})(?:\.([0-9]{2}))?")
_DOLLARS_AND_CENTS = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,6})\.([0-9]{2})")


def newest(queryset: QuerySet[Payment], term: str, at_most: int) -> list[UUID]:
    """The ids of the newest payments of the queryset that the term names.

    By their id, order, customer, bank reference (its prefix may be missing), last four digits or amount, or
    by the id, bank reference, request or idempotency key of one of their operations.
    """
    term = term.strip()
    if queryset.query.is_empty():  # the filters let nothing through; a union of nothing cannot be ordered
        return []
    newest_first = queryset.order_by("-created_at", "-id").values_list("created_at", "id")
    first, *others = [newest_first.filter(each)[:at_most] for each in _comparisons(term)]
    found = first.union(*others).order_by("-created_at", "-id")[:at_most]
    return [payment_id for _, payment_id in found]


def of_no_payment(term: str) -> QuerySet[Operation]:
    """Operations that the term names and that belong to no payment: releases of holds that were nobody's."""
    references = _references(term.strip())
    named = [
        Operation.objects.filter(each, payment=None).order_by().values("pk")
        for each in (
            Q(pk=_uuid(term.strip(), OPERATION_PREFIX)),
            Q(bank_reference__in=references),
            Q(target_reference__in=references),
        )
    ]
    return Operation.objects.filter(pk__in=named[0].union(*named[1:]))


def readings(term: str) -> list[str]:
    """What a number is taken for, where that may surprise."""
    term = term.strip()
    cents = amount_cents(term)
    if cents is None or not _CENTS.fullmatch(term):
        return []
    last_four = [f"the last four digits {term}"] if _LAST_FOUR.fullmatch(term) else []
    return [*last_four, f"the amount {display(cents, Currency.USD)} ({cents} cents)"]


def amount_cents(term: str) -> int | None:
    """`$50`, `$50.00` and `50.00` in cents; digits alone are cents, as the API and the bank have them."""
    if _CENTS.fullmatch(term):
        cents = int(term)
    elif found := _DOLLARS.fullmatch(term) or _DOLLARS_AND_CENTS.fullmatch(term):
        cents = int(found[1].replace(",", "")) * 100 + int(found[2] or 0)
    else:
        return None
    return cents if 0 < cents <= MAX_AMOUNT_CENTS else None


def _comparisons(term: str) -> list[Q]:
    """Everything the term may be to a payment; each has its index."""
    references = _references(term)
    ids = {*_payments_of_operations(term), _uuid(term, PAYMENT_PREFIX)} - {None}
    each: list[Q] = [Q(order_id=term), Q(customer_id=term)]
    each += [Q(**{f"{field}__in": references}) for field in _BANK_REFERENCES]
    if ids:
        each.append(Q(pk__in=sorted(ids, key=str)))
    if _LAST_FOUR.fullmatch(term):
        each.append(Q(card_last4=term))
    if (cents := amount_cents(term)) is not None:
        each.append(Q(amount_cents=cents))
    return each


def _payments_of_operations(term: str) -> list[UUID]:
    """The payments that the term names by one of their operations, its attempts or its idempotency key."""
    references = _references(term)
    named: list[tuple[QuerySet[Any], str]] = [
        (Operation.objects.filter(bank_reference__in=references), "payment_id"),
        (Operation.objects.filter(target_reference__in=references), "payment_id"),
        (Operation.objects.filter(request_id=term), "payment_id"),
        (ApiRequest.objects.filter(request_id=term), "payment_id"),
        (Attempt.objects.filter(bank_reference__in=references), "operation__payment_id"),
        (IdempotencyKey.objects.filter(key=term), "operation__payment_id"),
    ]
    if operation_id := _uuid(term, OPERATION_PREFIX):
        named.append((Operation.objects.filter(pk=operation_id), "payment_id"))
    first, *others = [
        rows.filter(**{f"{payment}__isnull": False}).order_by().values_list(payment)[:OPERATIONS_AT_MOST]
        for rows, payment in named
    ]
    return [payment_id for (payment_id,) in first.union(*others)]


def _references(term: str) -> list[str]:
    """The term as a bank may have written it: as it is, and as our bank would, in small letters."""
    small = term.lower()
    prefixes = [""] if small.startswith(_BANK_PREFIXES) else ["", *_BANK_PREFIXES]
    return sorted({term} | {prefix + small for prefix in prefixes})


def _uuid(term: str, prefix: str) -> UUID | None:
    digits = term.removeprefix(prefix)
    return UUID(digits) if _UUID.fullmatch(digits) else None
