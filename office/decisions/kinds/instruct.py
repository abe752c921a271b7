"""Capture, void or refund on behalf of the merchant, by the use cases that a merchant's request runs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from django_fsm import can_proceed

from office.decisions.evidence import Basis, CannotResolve, Kind, Proposal, minute
from office.decisions.forms import PartForm, ReasonForm
from office.decisions.kinds.base import DecisionKind, Facts
from office.decisions.permissions import INSTRUCT
from payments.domain.money import display
from payments.engine import steps
from payments.engine.abilities import abilities_of
from payments.engine.responses import ApiResponse
from payments.engine.steps import Step
from payments.models import Discrepancy, Payment, Resolution
from payments.models.clock import read_clock
from payments.models.discrepancies import LATE_REPLY
from payments.usecases.capture import CAPTURE, capture_payment
from payments.usecases.refund import REFUND, refund_payment
from payments.usecases.void import VOID, void_payment


@dataclass(frozen=True)
class Instruct(DecisionKind):
    """One of the three instructions. Its resolution is decided together with the use case's intent."""

    kind: Resolution.Kind
    step: Step
    use_case: Callable[..., ApiResponse]
    becomes: str  # the payment's state then
    moves: str  # what happens to the amount
    rest: str = ""  # what happens to the rest of a partial amount

    permission: ClassVar[str] = INSTRUCT

    @property
    def title(self) -> str:
        return f"{self.kind.label} on behalf of the merchant"

    def why_not(self, payment: Payment) -> str:
        """Why staff cannot instruct it now, as a sentence; empty if they can."""
        if not abilities_of(payment.bank).can(self.step.kind):
            return f"The payment's bank does not support {self.kind.value}."
        if not can_proceed(self.step.transition(payment)):
            return f"A payment that is {payment.state} cannot be {self.step.done}."
        late = Discrepancy.objects.filter(payment=payment, kind=LATE_REPLY, closed_at=None)
        done = list(late.values_list("operation__kind", flat=True))
        if done and self.kind not in done:
            return f"The bank executed a {done[0]} that our books do not have. Settle that first."
        expires = payment.authorization_expires_at
        if self.kind == Kind.CAPTURE and expires is not None and expires <= read_clock():
            return f"The hold expired at {minute(expires)}. It can no longer be captured."
        return ""

    def verify(self, proposal: Proposal) -> Basis:
        if proposal.payment is None:
            raise CannotResolve("There is no such payment.")
        payment = Payment.objects.get(pk=proposal.payment.pk)
        if no := self.why_not(payment):
            raise CannotResolve(no)
        left = steps.left_to(self.step, payment)
        amount = left if proposal.amount_minor is None else proposal.amount_minor
        if no := steps.why_not_of(self.step, payment, amount, left=left):
            raise CannotResolve(no)
        return Basis(payment.bank, "", amount, payment.currency)

    def form(self, payment: Payment) -> Callable[..., ReasonForm]:
        """The reason and, if the bank takes partial amounts, the amount."""
        if not abilities_of(payment.bank).takes_parts(self.step.kind):
            return ReasonForm
        return partial(PartForm, most_minor=steps.left_to(self.step, payment), currency=payment.currency)

    def changes(self, proposal: Proposal, basis: Basis) -> Facts:
        payment = proposal.payment
        left = steps.left_to(self.step, payment) if payment else basis.amount_minor
        rest = left - basis.amount_minor
        state = payment.state if payment else ""
        stays = rest and self.kind == Kind.REFUND
        becomes = f"{state} becomes {self.becomes} when the bank confirms."
        money = f"{display(basis.amount_minor, basis.currency)} {self.moves}"
        if rest:
            money += f"; {self.rest.format(display(rest, basis.currency))}"
        return [
            ("State", f"The payment stays {state}." if stays else becomes),
            ("Money", f"{money}."),
            ("Merchant", "Sees it on the payment's receipt and in its events."),
        ]

    def why_outdated(self, proposed: Resolution) -> str:
        return f"The payment is {proposed.payment.state}." if proposed.payment else ""


# By the last part of the page's URL.
INSTRUCTIONS: dict[str, Instruct] = {
    one.kind: one
    for one in (
        Instruct(
            Kind.CAPTURE,
            CAPTURE,
            capture_payment,
            "CAPTURED",
            "is taken from the card",
            "the other {} of the hold is freed",
        ),
        Instruct(Kind.VOID, VOID, void_payment, "VOIDED", "is no longer held on the card"),
        Instruct(
            Kind.REFUND,
            REFUND,
            refund_payment,
            "REFUNDED",
            "goes back to the card",
            "{} can be refunded later",
        ),
    )
}
