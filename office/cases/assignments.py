"""Assignment of a case in the review queue: one owner at a time. Every change of owner is logged."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from office.log.staff import Staff, log_action
from payments.models import Assignment, Event, Operation
from payments.models.clock import ClockTimestamp


class AlreadyAssigned(Exception):
    """Somebody else owns the case. The message is their username."""


def take(staff: Staff, operation: Operation) -> None:
    """Assign a case without an owner to this member of staff. Raises AlreadyAssigned."""
    with _operation_locked(operation):
        assignment, is_new = _get_or_create(staff, operation)
        if assignment.owner_id != staff.user_id:
            raise AlreadyAssigned(assignment.owner.get_username())
        if is_new:
            _log(staff, operation)


def take_over(staff: Staff, operation: Operation) -> None:
    """Assign the case to this member of staff, even if somebody else owns it."""
    with _operation_locked(operation):
        assignment, is_new = _get_or_create(staff, operation)
        if is_new:
            _log(staff, operation)
        elif assignment.owner_id != staff.user_id:
            before = assignment.owner.get_username()
            Assignment.objects.filter(pk=assignment.pk).update(
                owner=staff.user_id, assigned_at=ClockTimestamp()
            )
            _log(staff, operation, taken_from=before)


def give_back(staff: Staff, operation: Operation) -> bool:
    """Give up the case. False if this member of staff did not own it."""
    with _operation_locked(operation):
        given_back, _ = Assignment.objects.filter(operation=operation, owner=staff.user_id).delete()
        if given_back:
            _log(staff, operation, Event.Type.OPERATION_GIVEN_BACK)
    return bool(given_back)


@contextmanager
def _operation_locked(operation: Operation) -> Iterator[None]:
    """A transaction that locks the operation, so that its owner changes once at a time."""
    with transaction.atomic():
        Operation.objects.select_for_update(no_key=True).get(pk=operation.pk)
        yield


def _get_or_create(staff: Staff, operation: Operation) -> tuple[Assignment, bool]:
    return Assignment.objects.get_or_create(operation=operation, defaults={"owner_id": staff.user_id})


def _log(
    staff: Staff, operation: Operation, event: Event.Type = Event.Type.OPERATION_ASSIGNED, **evidence: str
) -> None:
    log_action(staff, event, payment=operation.payment, operation=operation, **evidence)
