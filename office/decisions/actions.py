"""The buttons for the decisions that a member of staff may take about a payment now."""

from django.http import HttpRequest
from django.urls import reverse

from office.decisions import kinds
from office.decisions.evidence import may_be_asked_again
from office.decisions.kinds import ABOUT_OPERATIONS
from office.decisions.kinds.instruct import INSTRUCTIONS
from office.decisions.permissions import INSTRUCT, RESOLVE
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind
from payments.models import Operation, Payment, standing_proposals

QUEUE = "admin:payments_review_queue"
PAYMENT = "admin:payments_payment_change"


def actions_for(request: HttpRequest, payment: Payment, operations: list[Operation]) -> list[tuple[str, str]]:
    """The decisions open to this member of staff, as label and URL."""
    actions: list[tuple[str, str]] = []
    waiting = standing_proposals().filter(payment=payment)
    proposed_about = set(waiting.values_list("operation_id", flat=True))
    if request.user.has_perm(RESOLVE):
        for one in operations:
            actions += resolutions_of(one, is_proposed=one.pk in proposed_about)
    unfinished = any(
        one.state in UNFINISHED_OPERATIONS and one.kind != OperationKind.RELEASE for one in operations
    )
    if request.user.has_perm(INSTRUCT) and not unfinished and None not in proposed_about:
        possible = [one.kind for one in INSTRUCTIONS.values() if not one.why_not(payment)]
        for kind in possible:
            actions.append((kind.label, reverse("admin:payments_instruct", args=[payment.pk, kind.value])))
    return actions


def resolutions_of(operation: Operation, *, is_proposed: bool = False) -> list[tuple[str, str]]:
    """The decisions about an operation that FicPay has not settled, as label and URL.

    While a proposal is pending, the bank can be asked again and nothing else can be decided.
    """

    def action(label: str, name: str) -> tuple[str, str]:
        about = "Release: " if operation.kind == OperationKind.RELEASE else ""
        return about + label, reverse(f"admin:payments_{name}", args=[operation.pk])

    is_unfinished = operation.state in UNFINISHED_OPERATIONS
    may_ask = is_unfinished and may_be_asked_again(operation)
    ask = [action("Ask the bank again", "ask_again")] if may_ask else []
    if is_proposed:
        return ask
    if due := kinds.due(operation):
        return [action(due.button, due.kind.value)]
    offered = [one for one in ABOUT_OPERATIONS if one.is_offered(operation)] if is_unfinished else []
    return ask + [action(one.button, one.kind.value) for one in offered]
