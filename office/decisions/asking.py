"""Asking the bank about an operation now, because somebody wants to know."""

from uuid import UUID

from office.decisions import denials
from office.decisions.evidence import ASKING_TAKES, CannotResolve
from office.log.staff import Staff, log_action
from payments.domain.states import UNFINISHED_OPERATIONS
from payments.engine.capacity import capacity_of
from payments.models import Attempt, Event, Operation
from payments.usecases import recovery


def ask_again(staff: Staff, operation_id: UUID, *, reason: str) -> str:
    """Ask the bank about an operation now; what came of it, in a sentence.

    Raises CannotResolve where it has ended, Overloaded where the pool is full.
    """
    operation = Operation.objects.select_related("payment").get(pk=operation_id)
    if operation.state not in UNFINISHED_OPERATIONS:
        raise CannotResolve(f"The {operation.kind} has ended: it is {operation.state}.")
    with capacity_of(operation.bank).threads.reserve() as slot:
        log_action(
            staff,
            Event.Type.OPERATION_ASKED_AGAIN,
            payment=operation.payment,
            operation=operation,
            reason=reason,
        )
        before = operation.attempts.count()
        asking = slot.submit(lambda: recovery.recover(operation_id))
    try:
        taken = asking.result(timeout=ASKING_TAKES)
    except TimeoutError:
        return "The bank has not answered yet; its answer is recorded as soon as it comes."
    if not taken:
        return (
            f"Nothing was asked: a call about the {operation.kind} may still be under way. It can be asked "
            "about again when its lease has run out, in less than a minute."
        )
    last = Attempt.objects.filter(operation=operation_id).select_related("operation").latest("number")
    now = f"the {last.operation.kind} is {last.operation.state}"
    if last.number <= before:
        return f"The bank was not asked: an answer of its own had come late, and is taken; {now}."
    return f"{denials.told(last)}; {now}."
