"""Cases of differences: who looks after one, and how staff end it. Every step is in its history.

Each function runs in the caller's transaction or in one of its own, and locks the case.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.models import QuerySet

from payments.models.clock import ClockTimestamp
from reconciliation.models import Difference, DifferenceEvent

State, Step = Difference.State, DifferenceEvent.Type
OPEN_STATES = (State.OPEN, State.ASSIGNED)


class CaseChanged(Exception):
    """The case is not as the caller saw it. The message is a sentence for staff."""


def open_differences(bank: str | None = None) -> QuerySet[Difference]:
    """Open cases, those that somebody has taken included; the oldest first."""
    found = Difference.objects.filter(state__in=OPEN_STATES).order_by("happened_at", "id")
    return found.filter(bank=bank) if bank else found


def assign(difference_id: int, *, owner_id: int, instead_of: int | None, actor: str) -> None:
    """Give an open case to a user. `instead_of`: the owner that the caller saw; None: nobody.

    Raises CaseChanged if it has ended or belongs to somebody else.
    """
    with _open_case(difference_id) as case:
        if case.owner_id == owner_id:
            return
        if case.owner_id != instead_of:
            owner = case.owner.get_username() if case.owner else "nobody"
            raise CaseChanged(f"The case belongs to {owner} now.")
        case.state, case.owner_id = State.ASSIGNED, owner_id
        case.save(update_fields=["state", "owner"])
        DifferenceEvent.objects.create(difference=case, type=Step.ASSIGNED, actor=actor)


def give_back(difference_id: int, *, owner_id: int, actor: str) -> None:
    """Have an open case without an owner again. Raises CaseChanged if it has ended or is not this user's."""
    with _open_case(difference_id) as case:
        if case.owner_id != owner_id:
            raise CaseChanged("The case is not yours.")
        case.state, case.owner = State.OPEN, None
        case.save(update_fields=["state", "owner"])
        DifferenceEvent.objects.create(difference=case, type=Step.GIVEN_BACK, actor=actor)


def accept(difference_id: int, *, reason: str, actor: str) -> None:
    """Close an open case though the difference stays. Raises CaseChanged if it has ended."""
    with _open_case(difference_id) as case:
        case.state, case.reason, case.closed_at = State.ACCEPTED, reason, ClockTimestamp()
        case.save(update_fields=["state", "reason", "closed_at"])
        DifferenceEvent.objects.create(difference=case, type=Step.ACCEPTED, actor=actor, reason=reason)


@contextmanager
def _open_case(difference_id: int) -> Iterator[Difference]:
    """The open case, locked. Raises CaseChanged if it has ended."""
    with transaction.atomic():
        case = Difference.objects.select_for_update(no_key=True).get(pk=difference_id)
        if case.state not in OPEN_STATES:
            raise CaseChanged(f"The case is already {case.state}.")
        yield case
