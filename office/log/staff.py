"""Actions of staff that need no second person: notes and exports. All are logged."""

import platform
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from payments.models import Event, Operation, Payment
from payments.models.clock import clock_in

_TWICE = 60.0  # seconds within which the same text by the same person is one note
_LONGEST_ACTOR = 100  # characters in the log's column; a username may be longer


@dataclass(frozen=True)
class Staff:
    """A member of staff, and where the request comes from."""

    user_id: int
    username: str
    address: str  # the network address
    request_id: str

    @property
    def actor(self) -> str:
        return f"staff:{self.username}"[:_LONGEST_ACTOR]


@dataclass(frozen=True)
class Operator:
    """Somebody who runs commands on one of our machines. They are no user, so the log names the machine."""

    user_id: None = None
    actor: str = "operator"
    request_id: str = ""

    @property
    def address(self) -> str:
        return f"command line of {platform.node() or 'an unnamed machine'}"


def log_action(
    staff: Staff | Operator,
    event: Event.Type,
    *,
    payment: Payment | None = None,
    operation: Operation | None = None,
    **evidence: Any,
) -> None:
    """Write one line into the append-only log: who, when, from where, and why.

    `user` is the user's id: unlike a username, it is never reused.
    """
    Event.objects.create(
        payment=payment,
        operation=operation,
        type=event,
        actor=staff.actor,
        request_id=staff.request_id,
        evidence={**evidence, "user": staff.user_id, "from": staff.address},
    )


def add_note(staff: Staff, payment: Payment, text: str) -> bool:
    """Add a note for other staff to a payment's timeline. False if the same note was just added."""
    with transaction.atomic():
        with connection.cursor() as cursor:  # an advisory lock does not wait for locks on the payment
            note = f"note of {staff.user_id} on {payment.pk}"
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [note])
        noted = payment.events.filter(type=Event.Type.NOTE_ADDED, at__gt=clock_in(-_TWICE))
        if noted.filter(evidence__user=staff.user_id, evidence__note=text).exists():
            return False
        log_action(staff, Event.Type.NOTE_ADDED, payment=payment, note=text)
    return True


def log_export(staff: Staff, filters: dict[str, str], *, reason: str) -> None:
    """Log an export with its filters and its reason, before the first row is sent."""
    log_action(staff, Event.Type.PAYMENTS_EXPORTED, filter=filters, reason=reason)
