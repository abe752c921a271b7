"""Records the agreement with a bank that executed an operation which our books call not executed."""

from django import forms

from office.decisions.effects import Decided
from office.decisions.evidence import (
    Basis,
    CannotResolve,
    Evidence,
    Kind,
    Proposal,
    basis_in_books,
    unchanged,
)
from office.decisions.forms import Lines, ReasonForm
from office.decisions.kinds.base import AboutOperation, Facts
from payments.domain.states import OperationState
from payments.engine.conclude import Outdated
from payments.models import Discrepancy, Operation, Resolution
from payments.models.clock import ClockTimestamp
from payments.models.discrepancies import LATE_REPLY

_NONE_LEFT = "The late reply is already settled."


class SettledForm(ReasonForm):
    """The agreement with the bank."""

    evidence = forms.ChoiceField(
        choices=[(Evidence.BANK_WORD.value, "")],
        widget=forms.HiddenInput,
        initial=Evidence.BANK_WORD.value,
    )
    quote = Lines(
        label="What was agreed with the bank",
        max_length=1000,
        help_text="For example: the bank has returned the money to the card; with the bank's reference.",
    )
    field_order = ("quote", "reason")


class SettleLateReply(AboutOperation):
    """Closes the case. A second person always approves."""

    kind = Kind.SETTLE_LATE_REPLY
    route = "late-reply"
    button = "Record how it was settled"
    title = "Record how the {} was settled"
    asks_for = SettledForm

    def is_about(self, operation: Operation) -> bool:
        return self.is_due(operation)

    def is_due(self, operation: Operation) -> bool:
        return has_late_reply(operation)

    def is_weak(self, proposal: Proposal) -> bool:
        return True

    def verify(self, proposal: Proposal) -> Basis:
        operation = unchanged(proposal)
        if not self.is_due(operation):
            raise Outdated(_NONE_LEFT)
        if not proposal.quote or proposal.evidence != Evidence.BANK_WORD:
            raise CannotResolve("Quote what was agreed with the bank.")
        return basis_in_books(operation)

    def changes(self, proposal: Proposal, basis: Basis) -> Facts:
        payment = proposal.about.claimed_payment
        return [
            ("State", f"The payment stays {payment.state}. The case is closed."),
            ("Money", "No money moves now. The bank must have undone what it did, or agreed to settle it."),
            ("Merchant", f"Can see again whether the order of {payment.public_id} is ready to ship."),
        ]

    def why_outdated(self, proposed: Resolution) -> str:
        return "The late reply has been settled."

    def apply(self, decided: Decided) -> str:
        late = Discrepancy.objects.filter(operation=decided.operation, kind=LATE_REPLY, closed_at=None)
        if not late.update(closed_at=ClockTimestamp()):
            raise Outdated(_NONE_LEFT)
        return "done."


def has_late_reply(operation: Operation) -> bool:
    """Whether the bank executed what our books call not executed, and nobody has settled that yet."""
    return operation.state in (OperationState.NOT_EXECUTED, OperationState.REJECTED) and any(
        one.kind == LATE_REPLY and one.closed_at is None for one in operation.discrepancies.all()
    )
