"""Stray holds: holds that a bank's statement shows and no payment of ours claims.

Nobody can tell whose they are. One is voided only when no payment can claim it any more.
"""

from datetime import datetime, timedelta

from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind, OperationState, PaymentState
from payments.engine.abilities import abilities_of
from payments.engine.conclude import STATEMENT_ACTOR
from payments.models import Attempt, Operation, Payment
from payments.models.clock import read_clock
from payments.usecases import holds
from payments.usecases.holds import Hold

# A hold known only from a statement is stray once the bank has forgotten every key that it can belong to.
# This is the margin on top of the time for which the bank stores its replies.
_FORGOTTEN_AFTER = timedelta(hours=1)


def stray_after(bank: str) -> timedelta | None:
    """The age from which a payment can no longer claim a hold at this bank; None if it always can."""
    lasts = abilities_of(bank).replies_kept_for
    return None if lasts is None else lasts + _FORGOTTEN_AFTER


def why_not_stray(hold: Hold, *, made_at: datetime) -> str:
    """Why the hold must not be voided as stray, as a sentence; empty if it may be.

    `made_at` is the bank's time of it (UTC). Says nothing about releases: `why_not_released_again` does.
    """
    bank, reference = hold.bank, hold.reference
    named = Attempt.objects.filter(
        bank_reference=reference, operation__bank=bank, operation__state__in=UNFINISHED_OPERATIONS
    )
    if named.exists():
        return (
            f"The bank replied {reference} to an unfinished operation of ours. Ask the bank about that "
            "operation again."
        )
    payments = Payment.objects.filter(bank=bank, bank_authorization_id=reference)
    if payments.exclude(state=PaymentState.EXPIRED).exists():
        return f"{reference} is the hold of a payment. Void that payment instead."
    if why := why_not_released_again(bank, reference):
        return why
    return _why_not_forgotten(bank, made_at) or _why_not_unclaimed(hold)


def _why_not_forgotten(bank: str, made_at: datetime) -> str:
    """Why the bank may still know the key that the hold belongs to; empty if it does not."""
    needed = stray_after(bank)
    if needed is None:
        return "This bank never forgets a key, so a payment may still claim the hold."
    if read_clock() - made_at < needed:
        hours = round(needed.total_seconds() / 3600)
        return f"The hold is not {hours} hours old yet, so a payment may still claim it."
    return ""


def _why_not_unclaimed(hold: Hold) -> str:
    open_ones = Operation.objects.filter(
        bank=hold.bank,
        kind=OperationKind.AUTHORIZE,
        state=OperationState.OPEN,
        amount_minor=hold.amount_minor,
    )
    if open_ones.exists():
        return "An authorize of this amount is open, and the hold may belong to it. Settle it first."
    return ""


def why_not_released_again(bank: str, reference: str) -> str:
    """That the hold is released or about to be, as a sentence; empty if it is not."""
    releases = Operation.objects.filter(bank=bank, kind=OperationKind.RELEASE, target_reference=reference)
    if releases.exclude(state=OperationState.NOT_EXECUTED).exists():
        return f"{reference} is already being released."
    return ""


def release_on_statement(hold: Hold, *, made_at: datetime, because: str) -> bool:
    """Record the release of a stray hold that a statement shows, inside the caller's transaction.

    `because` is for the history. False where it must not be voided, or was released before: what came to
    nothing once is for staff.
    """
    released = Operation.objects.filter(
        bank=hold.bank, kind=OperationKind.RELEASE, target_reference=hold.reference
    )
    if released.exists() or why_not_stray(hold, made_at=made_at):
        return False
    holds.request_release_of_stray(hold, actor=STATEMENT_ACTOR, because=because, request_id="")
    return True
