"""Who may decide what about a payment as it stands, and where."""

from django.http import HttpRequest
from django.urls import reverse

from office.decisions.denials import LOOKED_UP, is_called_done
from office.decisions.evidence import can_be_voided, has_late_answer, lacks_reference, why_not
from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind
from payments.models import Operation, Payment, Resolution, standing_proposals

Kind = Resolution.Kind

RESOLVE = "payments.resolve_operation"
APPROVE = "payments.approve_resolution"
INSTRUCT = "payments.instruct_payment"
DISABLE_KEY = "payments.disable_apikey"
QUEUE = "admin:payments_review_queue"
PAYMENT = "admin:payments_payment_change"


INSTRUCTIONS = (Kind.CAPTURE, Kind.VOID, Kind.REFUND)


def actions_for(request: HttpRequest, payment: Payment, operations: list[Operation]) -> list[tuple[str, str]]:
    """What this member of staff may do about the payment as it stands: label and address."""
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
        possible = [kind for kind in INSTRUCTIONS if not why_not(payment, kind)]
        for kind in possible:
            actions.append((kind.label, reverse("admin:payments_instruct", args=[payment.pk, kind.value])))
    return actions


def may_be_captured(operation: Operation) -> bool:
    """Whether a void that is not settled may have found the money taken."""
    return operation.kind == OperationKind.VOID and not is_called_done(operation)


def resolutions_of(operation: Operation, *, is_proposed: bool = False) -> list[tuple[str, str]]:
    """What may be done about an operation that the machine has not settled: label and address.

    Where something is proposed already, that is decided first.
    """

    def action(label: str, name: str) -> tuple[str, str]:
        about = "Release: " if operation.kind == OperationKind.RELEASE else ""
        return about + label, reverse(f"admin:payments_{name}", args=[operation.pk])

    ask = action("Ask the bank again", "ask_again")
    if is_proposed:
        return [ask] if operation.state in UNFINISHED_OPERATIONS else []
    if lacks_reference(operation):
        return [action("Record the bank's reference", "record_reference")]
    if has_late_answer(operation):
        return [action("Record how it was settled", "settle_late_answer")]
    if operation.state not in UNFINISHED_OPERATIONS:
        return []
    record = [action("Record the bank's reference", "record_reference")]
    return [
        ask,
        *(record if operation.kind in LOOKED_UP else []),
        *([action("Record that the hold was voided", "record_voided")] if can_be_voided(operation) else []),
        *([action("Record that it was captured", "record_captured")] if may_be_captured(operation) else []),
        *([] if is_called_done(operation) else [action("Record as not executed", "record_not_executed")]),
    ]
