"""What staff do with the case of a difference. The log has each in the transaction of the change."""

from typing import Any

from django.db import transaction

from office.log.staff import Staff, log_action
from payments.models import Event
from reconciliation.models import Difference
from reconciliation.services import differences


def take(staff: Staff, difference: Difference, *, instead_of: int | None) -> None:
    """Own the case. `instead_of`: the owner on the page; None: nobody. Raises CaseChanged."""
    before = difference.owner.get_username() if difference.owner and instead_of else ""
    taken_from = {"taken_from": before} if before else {}
    with transaction.atomic():
        differences.assign(difference.pk, owner_id=staff.user_id, instead_of=instead_of, actor=staff.actor)
        _log(staff, Event.Type.DIFFERENCE_ASSIGNED, difference, **taken_from)


def give_back(staff: Staff, difference: Difference) -> None:
    """Give up the case. Raises CaseChanged."""
    with transaction.atomic():
        differences.give_back(difference.pk, owner_id=staff.user_id, actor=staff.actor)
        _log(staff, Event.Type.DIFFERENCE_GIVEN_BACK, difference)


def accept(staff: Staff, difference: Difference, *, reason: str) -> None:
    """Close the case though the difference stays. Raises CaseChanged."""
    with transaction.atomic():
        differences.accept(difference.pk, reason=reason, actor=staff.actor)
        _log(staff, Event.Type.DIFFERENCE_ACCEPTED, difference, reason=reason)


def _log(staff: Staff, event: Event.Type, difference: Difference, **more: Any) -> None:
    log_action(
        staff,
        event,
        payment=difference.payment,
        difference=str(difference.pk),
        what=difference.get_kind_display(),
        **more,
    )
