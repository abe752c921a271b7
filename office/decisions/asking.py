"""Asks the bank about an operation now, on request of staff."""

from uuid import UUID

from office.decisions import denials
from office.decisions.evidence import BANK_TIMEOUT, CannotResolve
from office.log.staff import Staff, log_action
from payments.domain.states import UNFINISHED_OPERATIONS
from payments.engine.capacity import capacity_of
from payments.models import Attempt, Event, Operation
from payments.usecases import recovery


def ask_again(staff: Staff, operation_id: UUID, *, reason: str) -> str:
    """Ask the bank about an operation now. Returns the result as a sentence.

    Raises CannotResolve if the operation has ended, Overloaded if the bank's thread pool is full.
    """
    operation = Operation.objects.select_related("payment").get(pk=operation_id)
    if operation.state not in UNFINISHED_OPERATIONS:
        raise CannotResolve(f"The {operation.kind} is already {operation.state}.")
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
        taken = asking.result(timeout=BANK_TIMEOUT)
    except TimeoutError:
        return "The bank has not replied yet. FicPay records its reply as soon as it arrives."
    if not taken:
        return (
            f"The bank was not asked: a call about the {operation.kind} may still be in flight. Try again in "
            "a minute."
        )
    last = Attempt.objects.filter(operation=operation_id).select_related("operation").latest("number")
    now = f"the {last.operation.kind} is {last.operation.state}"
    if last.number <= before:
        return f"The bank was not asked: FicPay applied a late reply that it already had; {now}."
    return f"{denials.reply_in_words(last)}; {now}."
