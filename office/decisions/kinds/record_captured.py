"""Records that the bank had already captured the hold that a void was to free."""

from office.decisions.denials import is_called_done
from office.decisions.effects import BY_PEOPLE, Decided, evidence_of
from office.decisions.evidence import Basis, CannotResolve, Kind, Proposal, basis_at_bank, unfinished
from office.decisions.forms import ReasonForm, ReferenceField
from office.decisions.kinds.base import AboutOperation, Facts
from payments.domain.money import display
from payments.domain.outcomes import NotExecuted, Succeeded
from payments.domain.states import OperationKind
from payments.engine import conclude
from payments.engine.abilities import abilities_of
from payments.models import Operation
from payments.usecases.capture import record_capture_made_instead
from reconciliation.services.explain import moment


class CapturedForm(ReasonForm):
    """The capture that the bank had already made when we sent the void."""

    reference = ReferenceField(
        label="The bank's reference of the capture",
        max_length=80,
        help_text="As the bank writes it, or the bare id from a statement. FicPay looks it up at the bank.",
    )
    field_order = ("reference", "reason")


class RecordCaptured(AboutOperation):
    """Ends the void, and records a capture that FicPay never sent for what the bank did."""

    kind = Kind.RECORD_CAPTURED
    route = "captured"
    button = "Record that it was captured"
    title = "Record that the money was captured instead"
    asks_for = CapturedForm

    def is_about(self, operation: Operation) -> bool:
        return operation.kind == OperationKind.VOID

    def is_offered(self, operation: Operation) -> bool:
        """If the bank can look captures up and does not say that the hold is voided."""
        can_be_asked = OperationKind.CAPTURE in abilities_of(operation.bank).looks_up
        return self.is_about(operation) and can_be_asked and not is_called_done(operation)

    def verify(self, proposal: Proposal) -> Basis:
        operation = unfinished(proposal)
        if operation.kind != OperationKind.VOID:
            raise CannotResolve("Only a void can turn out to be a capture.")
        return basis_at_bank(operation, OperationKind.CAPTURE, proposal.reference)

    def changes(self, proposal: Proposal, basis: Basis) -> Facts:
        void = proposal.about
        amount = display(void.amount_minor, void.currency)
        at = f" at {moment(basis.executed_at)}, according to the bank" if basis.executed_at else ""
        return [
            (
                "State",
                f"{void.claimed_payment.state} becomes CAPTURED, with {basis.reference}. The void ends.",
            ),
            ("Money", f"{amount} was already taken{at}. No money moves now. A refund gives it back."),
            ("Merchant", "A retry of the void is refused: the payment is CAPTURED."),
        ]

    def apply(self, decided: Decided) -> str:
        void, resolution = decided.operation, decided.resolution
        decided.conclude(NotExecuted("captured at the bank", code=BY_PEOPLE))
        capture = record_capture_made_instead(
            void,
            amount_minor=void.amount_minor,
            actor=decided.staff.actor,
            request_id=decided.staff.request_id,
        )
        conclude.conclude_by_staff(
            capture.pk,
            Succeeded(resolution.reference),
            seen_epoch=1,
            actor=decided.staff.actor,
            request_id=decided.staff.request_id,
            evidence=evidence_of(resolution),
            executed_at=resolution.executed_at,
        )
        return "done."
