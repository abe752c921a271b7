"""Where a bank's answer about one operation differs from our books."""

from typing import Any

from django.db.models import QuerySet

from payments.domain.replies import Found, NotThere
from payments.models import Operation
from reconciliation.models import Difference, Run
from reconciliation.services import differences


def differences_found(bank: str) -> QuerySet[Difference]:
    """The unresolved differences that checks of this bank have found."""
    unresolved = [Difference.State.OPEN, Difference.State.ASSIGNED, Difference.State.ACCEPTED]
    return Difference.objects.filter(
        bank=bank, found_by__kind=Run.Kind.BANK, state__in=unresolved, operation__isnull=False
    )


def difference_of(operation: Operation, answer: Found | NotThere) -> differences.Found | None:
    """What differs between our books and the bank's answer; None where nothing does."""
    kind = _kind_of_difference(operation, answer)
    if kind is None:
        return None
    payment = operation.payment
    return differences.Found(
        kind=kind,
        bank=operation.bank,
        subject=f"op:{operation.pk.hex}",
        operation=operation.pk,
        payment=operation.payment_id,
        merchant=payment.merchant_id if payment else None,
        amount_minor=operation.amount_minor,
        currency=operation.currency,
        happened_at=operation.finished_at or operation.created_at,
        evidence={"bank": _bank_says(answer), "books": _books_say(operation)},
    )


def _kind_of_difference(operation: Operation, answer: Found | NotThere) -> Difference.Kind | None:
    if isinstance(answer, NotThere) or answer.target_reference != operation.target_reference:
        return Difference.Kind.MISSING_AT_BANK
    if answer.currency != operation.currency:
        return Difference.Kind.CURRENCY_MISMATCH
    if answer.amount_minor != operation.amount_minor:
        return Difference.Kind.AMOUNT_MISMATCH
    return None


def _bank_says(answer: Found | NotThere) -> dict[str, Any] | None:
    if isinstance(answer, NotThere):
        return None
    return {
        "reference": answer.reference,
        "target_reference": answer.target_reference,
        "amount_minor": answer.amount_minor,
        "currency": answer.currency,
        "at": answer.made_at.isoformat(),
    }


def _books_say(operation: Operation) -> dict[str, Any]:
    return {
        "reference": operation.bank_reference,
        "target_reference": operation.target_reference,
        "amount_minor": operation.amount_minor,
        "currency": operation.currency,
        "at": (operation.finished_at or operation.created_at).isoformat(),
    }
