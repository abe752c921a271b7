"""What a bank's statement tells about operations that our books do not know in full.

A line gives the reference of a success, or ends an operation in doubt or under review. The absence of a line
ends one too, where statements cover its time, and rules out holds that silent attempts may have made. A hold
is never adopted from a statement. Each function runs inside the caller's transaction, in which nobody imports
statements of the bank.
"""

from typing import Any
from uuid import UUID

from payments.domain.outcomes import NotExecuted, Succeeded
from payments.domain.statements import Covered, Shown
from payments.domain.states import OperationKind, OperationState
from payments.engine import conclude
from payments.engine.conclude import STATEMENT_ACTOR, Outdated
from payments.engine.proofs import done_already, is_called_captured
from payments.models import Discrepancy, Event, Operation
from payments.models.discrepancies import LATE_HOLD
from payments.usecases.capture import record_capture_made_instead

_NOT_EXECUTED = "ruled_out_by_statement"  # the outcome's code
_Reason = Discrepancy.Kind
# Only that nobody can ask the bank any more: the bank has not contradicted our books.
_MAY_BE_ABSENT = (_Reason.TOO_OLD_TO_ASK, _Reason.CANNOT_ASK)


def name(operation_id: UUID, line: Shown) -> None:
    """Fill in the reference of a success without one. Raises Outdated where it is known by now.

    The bank's own time stands in the event: a receipt's times are written once.
    """
    locked = conclude.fill_in_reference(operation_id, line.reference)
    _tell(locked.operation, Event.Type.REFERENCE_FOUND, line.evidence())


def end(operation_id: UUID, line: Shown) -> None:
    """End an operation as the line shows: done, or the bank did something else with the hold.

    Raises Outdated where it has ended, the bank is being asked about it, or its replies contradict the line.
    """
    operation = Operation.objects.get(pk=operation_id)
    is_void_line = line.kind is OperationKind.VOID
    acts_as = OperationKind.VOID if operation.kind == OperationKind.RELEASE else operation.kind
    if is_void_line and is_called_captured(operation):
        raise Outdated("The bank replied that the hold is captured, and its statement shows a void.")
    if acts_as == line.kind:
        _conclude(operation, Succeeded(line.reference), line)
    elif is_void_line and operation.kind == OperationKind.CAPTURE:
        voided = NotExecuted("the hold was voided", code=_NOT_EXECUTED, hold_voided=True)
        _conclude(operation, voided, line)
    elif line.kind is OperationKind.CAPTURE and operation.kind == OperationKind.VOID:
        _conclude(operation, NotExecuted("captured at the bank", code=_NOT_EXECUTED), line)
        capture = record_capture_made_instead(
            operation, amount_minor=line.amount_minor, actor=STATEMENT_ACTOR, request_id=""
        )
        _conclude(capture, Succeeded(line.reference), line)
    else:
        raise Outdated(f"A {line.kind} does not end a {operation.kind}.")


def _conclude(operation: Operation, outcome: Succeeded | NotExecuted, line: Shown) -> None:
    conclude.conclude_by_statement(operation.pk, outcome, evidence=line.evidence(), executed_at=line.at)


def rule_out(operation_id: UUID, covered: Covered) -> None:
    """End an operation under review as not executed: statements cover its time and do not show it.

    For an authorize, no hold of its amount without a payment may be there. Raises Outdated where it has
    ended, the bank is being asked about it, or the bank's replies say more than that nobody knows; and for a
    release for a payment: its hold is still there, and only its case shows that.
    """
    locked = conclude.lock_at_rest(operation_id)
    operation = locked.operation
    if operation.state != OperationState.NEEDS_REVIEW:
        raise Outdated("Recovery still asks the bank about it.")
    if operation.kind == OperationKind.RELEASE and operation.payment_id is not None:
        raise Outdated("The hold is not freed, and no difference would show it.")
    if done_already(operation):
        raise Outdated("The bank replied that it was done already, and its statement does not show it.")
    reasons = operation.discrepancies.filter(closed_at=None).exclude(kind=LATE_HOLD)
    if operation.kind == OperationKind.AUTHORIZE and reasons.exclude(kind__in=_MAY_BE_ABSENT).exists():
        raise Outdated("The bank contradicted our books.")
    outcome = NotExecuted("not on the bank's statement", code=_NOT_EXECUTED)
    conclude.conclude_by_statement(operation_id, outcome, evidence=covered.evidence())


def rule_out_strays(operation_id: UUID, covered: Covered, *, left: int) -> int:
    """Let the operation await no more holds than the `left` that may be its own.

    Returns how many are ruled out. `left` is the number of holds without a payment, of its amount, that
    statements show in its time.
    """
    payment_id = Operation.objects.values_list("payment_id", flat=True).get(pk=operation_id)
    operation = conclude.lock(operation_id, payment_id).operation
    awaited: int = operation.strays_awaited
    for one in range(awaited, left, -1):
        operation.strays_awaited = one - 1
        operation.save(update_fields=["strays_awaited"])
        _tell(operation, Event.Type.STRAY_RULED_OUT, covered.evidence() | {"left": one - 1})
    return max(0, awaited - left)


def _tell(operation: Operation, event: Event.Type, evidence: dict[str, Any]) -> None:
    Event.objects.create(
        payment_id=operation.payment_id,
        operation=operation,
        type=event,
        actor=STATEMENT_ACTOR,
        request_id=operation.request_id,
        evidence=evidence,
    )
