"""Corrections: money that was settled wrongly is put right by a posting with its reason, never by an edit."""

from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from payments.domain.cards import contains_typed_card_number
from payments.domain.money import MAX_AMOUNT_MINOR, display
from payments.domain.settlement import postings_of_correction
from payments.models import Event, Operation, write_entry
from reconciliation.models import Correction, Settlement
from reconciliation.services.settle import columns_of

_LONGEST_REASON = 500  # characters in its column


class CorrectionRefused(Exception):
    """The correction cannot be made. The message is a sentence for staff."""


def correct(
    settlement: Settlement,
    *,
    amount_minor: int,
    reason: str,
    actor: str,
    operation: Operation | None = None,
    request_id: str = "",
    logged: Mapping[str, Any] | None = None,
) -> Correction:
    """Correct a settlement by an amount (minor units; above nought: in favor of the merchant).

    It is posted at once and joins the merchant's next settlement. `operation` is what was settled wrongly, if
    it is one. The merchant sees the reason. `logged` is what the log of staff keeps besides. Raises
    CorrectionRefused.
    """
    reason = reason.strip()
    if problem := _problem(settlement, amount_minor, reason, operation):
        raise CorrectionRefused(problem)
    payee = columns_of(settlement)
    with transaction.atomic():
        _refuse_again(settlement, amount_minor, reason, operation)
        event = Event.objects.create(
            type=Event.Type.SETTLEMENT_CORRECTED,
            actor=actor,
            request_id=request_id,
            evidence={
                "settlement": settlement.public_id,
                "amount": display(amount_minor, settlement.currency),
                "reason": reason,
                **({"operation": operation.public_id} if operation else {}),
                **(logged or {}),
            },
        )
        correction = Correction.objects.create(
            of_settlement=settlement,
            amount_minor=amount_minor,
            operation=operation,
            reason=reason,
            actor=actor,
            event=event,
            **payee,
        )
        write_entry(event, postings_of_correction(amount_minor), **payee)
    return correction


def _refuse_again(
    settlement: Settlement, amount_minor: int, reason: str, operation: Operation | None
) -> None:
    """A form that is sent twice, or a command that is repeated, must not move the money twice."""
    with connection.cursor() as cursor:
        name = f"correction of {settlement.public_id}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
    same = Correction.objects.filter(
        of_settlement=settlement, amount_minor=amount_minor, reason=reason, operation=operation
    )
    if same.exists():
        raise CorrectionRefused(
            "This correction was made already. If it is due once more, say so in the reason."
        )


def _problem(
    settlement: Settlement, amount_minor: int, reason: str, operation: Operation | None
) -> str | None:
    if not 0 < abs(amount_minor) <= MAX_AMOUNT_MINOR:
        return f"The amount must be from 1 to {MAX_AMOUNT_MINOR} minor units, in favor of either side."
    if not reason:
        return "A correction needs a reason."
    if len(reason) > _LONGEST_REASON:
        return f"The reason must not have more than {_LONGEST_REASON} characters."
    if contains_typed_card_number(reason):
        return "The reason looks like a card number, and FicPay does not store those."
    if operation and not _is_settled_by(operation, settlement):
        return f"{operation.public_id} is not part of {settlement.public_id}."
    return None


def _is_settled_by(operation: Operation, settlement: Settlement) -> bool:
    lines = settlement.lines.filter(Q(operation=operation) | Q(correction__operation=operation))
    return lines.exists()
