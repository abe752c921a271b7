"""Records that an operation was not executed, on a reply, a statement, or the bank's written word."""

from collections.abc import Callable
from datetime import UTC, timedelta
from functools import partial
from typing import Any

from django import forms

from office.decisions.denials import (
    HAVE_AN_ID,
    denials,
    is_called_done,
    may_have_executed,
    sent_since,
)
from office.decisions.effects import BY_PEOPLE, Decided
from office.decisions.evidence import (
    Basis,
    CannotResolve,
    Evidence,
    Kind,
    Proposal,
    basis_in_books,
    minute,
    unfinished,
)
from office.decisions.forms import Lines, ReasonForm
from office.decisions.kinds.base import AboutOperation, Facts
from payments.domain.days import begin_of
from payments.domain.outcomes import NotExecuted
from payments.domain.replies import Said
from payments.domain.states import OperationKind
from payments.engine.conclude import Outdated
from payments.engine.proofs import covered, done_already
from payments.models import Operation
from payments.models.clock import read_clock
from payments.models.resolutions import SHOWS

_NEEDS = {
    Evidence.STATEMENT: ("quote", "covers_from", "covers_to"),
    Evidence.BANK_WORD: ("quote",),
}


class NotExecutedForm(ReasonForm):
    """The evidence that something was not executed."""

    evidence = forms.ChoiceField(help_text="How do you know that it was not executed?")
    quote = Lines(
        label="The bank's words, or the statement's name",
        max_length=1000,
        required=False,
    )
    covers_from = forms.DateField(
        label="The statement covers (UTC days)", required=False, widget=forms.DateInput({"type": "date"})
    )
    covers_to = forms.DateField(
        label="to, this day included", required=False, widget=forms.DateInput({"type": "date"})
    )
    field_order = ("evidence", "quote", "covers_from", "covers_to", "reason")

    def __init__(self, *args: Any, operation: Operation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        evidence: Any = self.fields["evidence"]
        # Only replies on the timeline that prove it.
        replies = [
            (
                f"{Evidence.BANK_REPLY}:{one.number}",
                f"The bank's reply to attempt {one.number}: {one.reply}",
            )
            for one in denials(operation)
        ]
        others = [
            (Evidence.STATEMENT.value, SHOWS[Kind.RECORD_NOT_EXECUTED, Evidence.STATEMENT]),
            (Evidence.BANK_WORD.value, f"{Evidence.BANK_WORD.label} (a second person approves)"),
        ]
        evidence.choices = [("", "Choose…"), *replies, *others]
        begin, end = map(minute, covered(operation))
        self.fields["covers_from"].help_text = f"It must cover {begin} to {end}."

    def clean(self) -> dict[str, Any]:
        """Splits the choice into `evidence` and `attempt`."""
        cleaned = super().clean()
        kind, _, attempt = cleaned.get("evidence", "").partition(":")
        for name in _NEEDS.get(kind, ()):
            if not cleaned.get(name) and name not in self.errors:
                self.add_error(name, "Required for this kind of evidence.")
        return cleaned | {"evidence": kind, "attempt": int(attempt) if attempt else None}


class RecordNotExecuted(AboutOperation):
    """An authorize without a statement as evidence awaits one: an unknown hold may still exist."""

    kind = Kind.RECORD_NOT_EXECUTED
    route = "not-executed"
    button = "Record as not executed"
    title = "Record that the {} was not executed"

    def form(self, operation: Operation) -> Callable[..., ReasonForm]:
        return partial(NotExecutedForm, operation=operation)

    def is_about(self, operation: Operation) -> bool:
        return True

    def is_offered(self, operation: Operation) -> bool:
        return not is_called_done(operation)

    def is_weak(self, proposal: Proposal) -> bool:
        operation = proposal.about
        if operation.kind == OperationKind.RELEASE or proposal.evidence == Evidence.BANK_WORD:
            return True
        if proposal.evidence == Evidence.STATEMENT:
            return bool(done_already(operation))
        # A reply is weak evidence if an earlier attempt may have been executed.
        return any(may_have_executed(one) for one in operation.attempts.all())

    def verify(self, proposal: Proposal) -> Basis:
        operation = unfinished(proposal)
        _check_not_called_done(operation)
        match proposal.evidence:
            case Evidence.BANK_REPLY:
                if proposal.attempt not in {one.number for one in denials(operation)}:
                    raise CannotResolve(
                        "That reply does not prove it. It must say that nothing was executed, the bank must "
                        "have been healthy, and every later attempt must have a clear reply. Choose other "
                        "evidence."
                    )
            case Evidence.STATEMENT:
                _check_statement(operation, proposal)
            case Evidence.BANK_WORD:
                _check_word(operation, proposal)
            case _:
                raise CannotResolve("Choose the evidence that it was not executed.")
        return basis_in_books(operation)

    def changes(self, proposal: Proposal, basis: Basis) -> Facts:
        operation = proposal.about
        if operation.kind == OperationKind.RELEASE:
            return [
                ("State", "No payment changes. The release is closed."),
                (
                    "Money",
                    f"FicPay does not free {operation.target_reference}. If the hold still exists, it blocks "
                    "the cardholder's money until the bank frees it.",
                ),
                ("Merchant", "Is not notified."),
            ]
        payment = operation.claimed_payment
        if operation.kind == OperationKind.AUTHORIZE:
            state = f"{payment.state} becomes FAILED. The order can be authorized again."
        else:
            state = f"The payment stays {payment.state}. The {operation.kind} can be sent again."
        return [
            ("State", state),
            ("Money", "No money moves. Be sure: if the bank did execute it, our books will be wrong."),
            ("Merchant", "A retry of the request is sent to the bank again, as a new operation."),
        ]

    def apply(self, decided: Decided) -> str:
        # Without a statement, each silent attempt may have made an unknown hold.
        is_statement = decided.resolution.evidence == Evidence.STATEMENT
        unseen = decided.operation.kind == OperationKind.AUTHORIZE and not is_statement
        strays = max(1, decided.operation.silent_attempts) if unseen else 0
        decided.conclude(NotExecuted("found by people", strays, code=BY_PEOPLE))
        return "done."


def _check_not_called_done(operation: Operation) -> None:
    done = done_already(operation)
    if done and operation.kind in HAVE_AN_ID:
        raise CannotResolve(
            f"The bank replied {done[-1].reply}. Record the reference of the {operation.kind}"
            + (", or that the hold was voided." if operation.kind == OperationKind.CAPTURE else ".")
        )
    if any(one.said == Said.ALREADY_VOIDED for one in done):
        raise CannotResolve("The bank replied that the hold is voided. Record that instead.")


def _check_word(operation: Operation, proposal: Proposal) -> None:
    if not proposal.quote:
        raise CannotResolve("Quote what the bank wrote.")
    if proposal.proposed_at is not None and sent_since(operation, proposal.proposed_at):
        raise Outdated(
            f"The {operation.kind} was sent again after this was proposed, so the quote does not cover it. "
            "Ask the bank again and make a new proposal."
        )


def _check_statement(operation: Operation, proposal: Proposal) -> None:
    if not proposal.quote or proposal.covers_from is None or proposal.covers_to is None:
        raise CannotResolve("Name the statement, and the first and last day (UTC) that it covers.")
    if proposal.covers_to >= read_clock().astimezone(UTC).date():
        raise CannotResolve("The last day is not over yet (UTC). Wait for a statement that covers it.")
    begin, end = covered(operation)
    if begin_of(proposal.covers_from) > begin or begin_of(proposal.covers_to + timedelta(days=1)) < end:
        raise CannotResolve(
            f"The statement must cover {minute(begin)} to {minute(end)}: from five minutes before the first "
            "attempt to one hour after the last."
        )
