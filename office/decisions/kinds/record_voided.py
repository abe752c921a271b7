"""Records that a hold was voided. Voids cannot be looked up at the bank, so a second person approves."""

from django import forms

from office.decisions.denials import is_called_done
from office.decisions.effects import BY_PEOPLE, Decided
from office.decisions.evidence import (
    Basis,
    CannotResolve,
    Evidence,
    Kind,
    Proposal,
    basis_in_books,
    unfinished,
)
from office.decisions.forms import Lines, ReasonForm
from office.decisions.kinds.base import AboutOperation, Facts
from payments.domain.outcomes import NotExecuted, Succeeded
from payments.domain.states import OperationKind
from payments.engine.proofs import done_already, is_called_captured
from payments.models import Operation
from payments.models.resolutions import SHOWS

# Operations on a hold that somebody may have voided.
_VOIDABLE = (OperationKind.CAPTURE, OperationKind.VOID, OperationKind.RELEASE)


class VoidedForm(ReasonForm):
    """The evidence that a hold was voided."""

    evidence = forms.ChoiceField(
        choices=[
            ("", "Choose…"),
            (Evidence.STATEMENT.value, SHOWS[Kind.RECORD_VOIDED, Evidence.STATEMENT]),
            (Evidence.BANK_WORD.value, Evidence.BANK_WORD.label),
        ],
        help_text="The bank cannot look voids up, so a second person must approve.",
    )
    quote = Lines(
        label="The bank's words, or the statement's name and line",
        max_length=1000,
    )
    field_order = ("evidence", "quote", "reason")


class RecordVoided(AboutOperation):
    """A void or a release succeeded. A capture was not executed, and its payment becomes VOIDED."""

    kind = Kind.RECORD_VOIDED
    route = "voided"
    button = "Record that the hold was voided"
    title = "Record that the hold was voided"
    asks_for = VoidedForm

    def is_about(self, operation: Operation) -> bool:
        """If it is about a hold, and the bank does not say that the hold is captured."""
        return operation.kind in _VOIDABLE and not is_called_captured(operation)

    def is_weak(self, proposal: Proposal) -> bool:
        return True

    def verify(self, proposal: Proposal) -> Basis:
        operation = unfinished(proposal)
        if operation.kind not in _VOIDABLE:
            raise CannotResolve(f"This cannot be recorded for this {operation.kind}: it has no hold to void.")
        if proposal.evidence not in (Evidence.STATEMENT, Evidence.BANK_WORD) or not proposal.quote:
            raise CannotResolve("Name the statement that shows the void, or quote what the bank wrote.")
        if is_called_captured(operation):
            raise CannotResolve("The bank replied that the hold is captured, so it was not voided.")
        if (
            operation.kind == OperationKind.CAPTURE
            and done_already(operation)
            and proposal.evidence != Evidence.STATEMENT
        ):
            raise CannotResolve(
                "The bank replied that the authorization is used, most likely by our capture. Only a "
                "statement that shows the void proves otherwise."
            )
        return basis_in_books(operation)

    def changes(self, proposal: Proposal, basis: Basis) -> Facts:
        operation = proposal.about
        if operation.kind == OperationKind.RELEASE:
            return [
                ("State", "No payment changes. The release is closed as done."),
                ("Money", f"{operation.target_reference} no longer holds the cardholder's money."),
                ("Merchant", "Is not notified."),
            ]
        payment = operation.claimed_payment
        retry = (
            "A retry of the void gets 200 with the receipt."
            if operation.kind == OperationKind.VOID
            else "A retry of the capture is refused: the payment is VOIDED. The order must not be shipped."
        )
        called_done = operation.kind == OperationKind.CAPTURE and is_called_done(operation)
        warning = "The bank replied that the authorization is used. Most likely the money was TAKEN. Be sure."
        return [
            *([("Warning", warning)] if called_done else []),
            ("State", f"{payment.state} becomes VOIDED, without a void id."),
            ("Money", "No money was taken, and none is held any more."),
            ("Merchant", retry),
        ]

    def apply(self, decided: Decided) -> str:
        if decided.operation.kind == OperationKind.CAPTURE:
            decided.conclude(NotExecuted("the hold was voided", code=BY_PEOPLE, hold_voided=True))
        else:
            decided.conclude(Succeeded(""))
        return "done."
