"""Records the bank's reference of a capture or a refund. It is looked up at the bank first."""

from office.decisions.denials import HAVE_AN_ID
from office.decisions.effects import Decided
from office.decisions.evidence import (
    Basis,
    CannotResolve,
    Kind,
    Proposal,
    basis_at_bank,
    can_be_looked_up,
    unchanged,
    unfinished,
)
from office.decisions.forms import ReasonForm, ReferenceField
from office.decisions.kinds.base import AboutOperation, Facts
from payments.domain.money import display
from payments.domain.outcomes import Succeeded
from payments.domain.states import OperationKind, OperationState
from payments.engine import conclude
from payments.models import Operation
from reconciliation.services.explain import moment


class ReferenceForm(ReasonForm):
    """The bank's id of a capture or a refund."""

    reference = ReferenceField(
        label="The bank's reference",
        max_length=80,
        help_text="As the bank writes it, or the bare id from a statement. FicPay looks it up at the bank.",
    )
    field_order = ("reference", "reason")


class RecordReference(AboutOperation):
    """The operation succeeded, at the time that the bank says."""

    kind = Kind.RECORD_REFERENCE
    route = "reference"
    button = "Record the bank's reference"
    title = "Record the bank's reference of the {}"
    asks_for = ReferenceForm

    def is_about(self, operation: Operation) -> bool:
        return can_be_looked_up(operation)

    def is_due(self, operation: Operation) -> bool:
        """If it succeeded without a reference, and the bank can look the reference up."""
        return (
            can_be_looked_up(operation)
            and operation.state == OperationState.SUCCEEDED
            and not operation.bank_reference
        )

    def verify(self, proposal: Proposal) -> Basis:
        operation = unchanged(proposal)
        if not self.is_due(operation):
            operation = unfinished(proposal)
        if operation.kind not in HAVE_AN_ID:
            raise CannotResolve(
                "Only the reference of a capture or a refund can be recorded. The bank does not say whose a "
                "hold is, and voids cannot be looked up."
            )
        return basis_at_bank(operation, OperationKind(operation.kind), proposal.reference)

    def changes(self, proposal: Proposal, basis: Basis) -> Facts:
        operation, reference = proposal.about, basis.reference
        payment = operation.claimed_payment
        amount = display(operation.amount_minor, operation.currency)
        done, how = _DONE[OperationKind(operation.kind)]
        at = f" at {moment(basis.executed_at)}, according to the bank" if basis.executed_at else ""
        moved = f"{amount} was already {how}{at}"
        if operation.state == OperationState.SUCCEEDED:
            return [
                ("State", f"The payment stays {payment.state}, with {reference}."),
                ("Money", f"{moved}. No money moves now."),
                ("Merchant", "Sees it on the payment's receipt. Earlier responses stay as they were."),
            ]
        is_part = operation.kind == OperationKind.REFUND and operation.amount_minor < payment.refundable_minor
        then = f"The payment stays {payment.state}" if is_part else f"{payment.state} becomes {done}"
        return [
            ("State", f"{then}, with {reference}."),
            ("Money", f"{moved}. No money moves now."),
            ("Merchant", "A retry of the request gets 200 with the receipt."),
        ]

    def apply(self, decided: Decided) -> str:
        operation, reference = decided.operation, decided.resolution.reference
        if operation.state == OperationState.SUCCEEDED:
            conclude.fill_in_reference(operation.pk, reference)
        else:
            decided.conclude(Succeeded(reference), executed_at=decided.resolution.executed_at)
        return "done."


_DONE = {
    OperationKind.CAPTURE: ("CAPTURED", "taken"),
    OperationKind.REFUND: ("REFUNDED", "given back"),
}
