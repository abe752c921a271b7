"""Who looks after a case of the review queue: one person at a time, and the log tells who did."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from office.log.staff import Staff, log_action
from payments.models import Assignment, Event, Operation
from payments.models.clock import ClockTimestamp


class LookedAfter(Exception):
    """Somebody else looks after it; who, is its text."""


def take(staff: Staff, operation: Operation) -> None:
    """Look after what nobody does. Raises LookedAfter."""
    with _one_at_a_time(operation):
        assignment, is_new = _found_or_made(staff, operation)
        if assignment.owner_id != staff.user_id:
            raise LookedAfter(assignment.owner.get_username())
        if is_new:
            _log(staff, operation)


def take_over(staff: Staff, operation: Operation) -> None:
    """Look after it, whoever did before."""
    with _one_at_a_time(operation):
        assignment, is_new = _found_or_made(staff, operation)
        if is_new:
            _log(staff, operation)
        elif assignment.owner_id != staff.user_id:
            before = assignment.owner.get_username()
            Assignment.objects.filter(pk=assignment.pk).update(
                owner=staff.user_id, assigned_at=ClockTimestamp()
            )
            _log(staff, operation, taken_from=before)


def give_back(staff: Staff, operation: Operation) -> bool:
    """Look after it no more. False where one did not."""
    with _one_at_a_time(operation):
        given_back, _ = Assignment.objects.filter(operation=operation, owner=staff.user_id).delete()
        if given_back:
            _log(staff, operation, Event.Type.OPERATION_GIVEN_BACK)
    return bool(given_back)


@contextmanager
def _one_at_a_time(operation: Operation) -> Iterator[None]:
    """A transaction in which nobody else takes it or gives it back."""
    with transaction.atomic():
        Operation.objects.select_for_update(no_key=True).get(pk=operation.pk)
        yield


def _found_or_made(staff: Staff, operation: Operation) -> tuple[Assignment, bool]:
    return Assignment.objects.get_or_create(operation=operation, defaults={"owner_id": staff.user_id})


def _log(
    staff: Staff, operation: Operation, event: Event.Type = Event.Type.OPERATION_ASSIGNED, **evidence: str
) -> None:
    log_action(staff, event, payment=operation.payment, operation=operation, **evidence)
