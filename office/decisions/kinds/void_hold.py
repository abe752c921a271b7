"""Voids a stray hold: one that a statement shows and no payment has. Recovery releases it within seconds."""

from datetime import timedelta
from typing import Any

from django import forms

from office.decisions.effects import Decided
from office.decisions.evidence import Basis, CannotResolve, Kind, Proposal, look_up
from office.decisions.forms import ReasonForm, ReferenceField
from office.decisions.kinds.base import Facts, Settling
from payments.domain.replies import Found
from payments.domain.states import (
    UNFINISHED_OPERATIONS,
    Mode,
    OperationKind,
    OperationState,
    PaymentState,
)
from payments.engine.abilities import abilities_of, banks_with_stray_holds
from payments.models import Attempt, Operation, Payment, Resolution, Route
from payments.models.clock import read_clock
from payments.usecases import holds
from payments.usecases.holds import Hold

# A hold known only from a statement is stray once the bank has forgotten every key that it can belong to.
# This is the margin on top of the time for which the bank stores its replies.
_FORGOTTEN_AFTER = timedelta(hours=1)


class StrayHoldForm(ReasonForm):
    """The stray hold, and the bank that has it."""

    bank = forms.ChoiceField()
    reference = ReferenceField(
        label="The hold's id",
        max_length=80,
        help_text="As the bank writes it, or the bare id from its statement.",
    )
    field_order = ("bank", "reference", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        bank: Any = self.fields["bank"]
        routes = Route.objects.filter(mode=Mode.LIVE, bank__in=banks_with_stray_holds())
        names = routes.order_by("bank").values_list("bank", flat=True).distinct()
        bank.choices = [(name, name) for name in names]


class VoidHold(Settling):
    """Releases a stray hold. No payment changes."""

    kind = Kind.VOID_HOLD
    title = "Void a hold without a payment"
    needs = "A hold on the bank's statement that belongs to no payment and is too old to be claimed by one."
    form = StrayHoldForm

    def verify(self, proposal: Proposal) -> Basis:
        bank = proposal.bank
        if bank not in banks_with_stray_holds():
            raise CannotResolve("This bank cannot look a hold up, or cannot void it.")
        found = look_up(bank, OperationKind.AUTHORIZE, proposal.reference)
        reference = found.reference
        named = Attempt.objects.filter(
            bank_reference=reference, operation__bank=bank, operation__state__in=UNFINISHED_OPERATIONS
        )
        if named.exists():
            raise CannotResolve(
                f"The bank replied {reference} to an unfinished operation of ours. Ask the bank about that "
                "operation again."
            )
        payments = Payment.objects.filter(bank=bank, bank_authorization_id=reference)
        if payments.exclude(state=PaymentState.EXPIRED).exists():
            raise CannotResolve(f"{reference} is the hold of a payment. Void that payment instead.")
        check_not_released(bank, reference)
        _check_forgotten(found, bank)
        open_ones = Operation.objects.filter(
            bank=bank,
            kind=OperationKind.AUTHORIZE,
            state=OperationState.OPEN,
            amount_minor=found.amount_minor,
        )
        if open_ones.exists():
            raise CannotResolve(
                "An authorize of this amount is open, and the hold may belong to it. Settle it first."
            )
        return Basis(bank, found.reference, found.amount_minor, found.currency)

    def changes(self, proposal: Proposal, basis: Basis) -> Facts:
        return [
            ("State", "No payment changes."),
            (
                "Money",
                f"The bank voids the hold {basis.reference} and frees the cardholder's money.",
            ),
            ("Merchant", "Is not notified."),
        ]

    def why_outdated(self, proposed: Resolution) -> str:
        return f"{proposed.reference} is being released."

    def apply(self, decided: Decided) -> str:
        resolution = decided.resolution
        check_not_released(resolution.bank, resolution.reference)
        holds.request_release_of_stray(
            Hold(resolution.bank, resolution.reference, resolution.amount_minor, resolution.currency),
            actor=decided.staff.actor,
            because=f"resolution {resolution.pk}: {resolution.reason}",
            request_id=decided.staff.request_id,
        )
        return "recorded. Recovery sends it within seconds. Search for the hold to see the result."


def _check_forgotten(hold: Found, bank: str) -> None:
    """Raises CannotResolve if the bank may still know the key that the hold belongs to."""
    needed = stray_after(bank)
    if needed is None:
        raise CannotResolve("This bank never forgets a key, so a payment may still claim the hold.")
    if read_clock() - hold.made_at < needed:
        hours = round(needed.total_seconds() / 3600)
        raise CannotResolve(f"The hold is not {hours} hours old yet, so a payment may still claim it.")


def stray_after(bank: str) -> timedelta | None:
    """The age from which a payment can no longer claim a hold at this bank; None if it always can."""
    lasts = abilities_of(bank).replies_kept_for
    return None if lasts is None else lasts + _FORGOTTEN_AFTER


def check_not_released(bank: str, reference: str) -> None:
    """Raises CannotResolve if the hold is released or about to be."""
    releases = Operation.objects.filter(bank=bank, kind=OperationKind.RELEASE, target_reference=reference)
    if releases.exclude(state=OperationState.NOT_EXECUTED).exists():
        raise CannotResolve(f"{reference} is already being released.")
