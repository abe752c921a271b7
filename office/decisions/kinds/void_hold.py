"""Voids a stray hold: one that a statement shows and no payment has. Recovery releases it within seconds."""

from typing import Any

from django import forms

from office.decisions.effects import Decided
from office.decisions.evidence import Basis, CannotResolve, Kind, Proposal, look_up
from office.decisions.forms import ReasonForm, ReferenceField
from office.decisions.kinds.base import Facts, Settling
from payments.domain.states import Mode, OperationKind
from payments.engine.abilities import banks_with_stray_holds
from payments.models import Resolution, Route
from payments.usecases import holds
from payments.usecases.holds import Hold
from payments.usecases.stray_holds import why_not_released_again, why_not_stray


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
        hold = Hold(bank, reference, found.amount_minor, found.currency)
        if no := why_not_stray(hold, made_at=found.made_at):
            raise CannotResolve(no)
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


def check_not_released(bank: str, reference: str) -> None:
    """Raises CannotResolve if the hold is released or about to be."""
    if no := why_not_released_again(bank, reference):
        raise CannotResolve(no)
