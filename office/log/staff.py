"""What members of staff do without a second person: notes, exports, keys. All of it is logged."""

import platform
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from payments.models import ApiKey, Event, Operation, Payment
from payments.models.clock import ClockTimestamp, clock_in

_TWICE = 60.0  # seconds within which the same words by the same person are the same note
_LONGEST_ACTOR = 100  # as the log has it; a username may be longer


@dataclass(frozen=True)
class Staff:
    """Who does it, and from where."""

    user_id: int
    username: str
    address: str  # of the network
    request_id: str

    @property
    def actor(self) -> str:
        return f"staff:{self.username}"[:_LONGEST_ACTOR]


@dataclass(frozen=True)
class Operator:
    """Whoever types commands on a machine of ours: no user, so that the machine stands for them."""

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
    """One line in the append-only log: who, when, from where, and why.

    `user` is who did it, by an id that is never given to another, as a name may be.
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
    """A remark on a payment's timeline, for other staff. False where it was sent twice and stands already."""
    with transaction.atomic():
        with connection.cursor() as cursor:  # one at a time, without waiting for whoever has the payment
            note = f"note of {staff.user_id} on {payment.pk}"
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [note])
        noted = payment.events.filter(type=Event.Type.NOTE_ADDED, at__gt=clock_in(-_TWICE))
        if noted.filter(evidence__user=staff.user_id, evidence__note=text).exists():
            return False
        log_action(staff, Event.Type.NOTE_ADDED, payment=payment, note=text)
    return True


def log_export(staff: Staff, filters: dict[str, str], *, reason: str) -> None:
    """That somebody takes payments away as a file, which and why; before the first of them is sent."""
    log_action(staff, Event.Type.PAYMENTS_EXPORTED, filter=filters, reason=reason)


def disable_api_key(staff: Staff, key_id: int, *, reason: str) -> bool:
    """Refuse an API key from now on. False where it was disabled already."""
    with transaction.atomic():
        disabled = ApiKey.objects.filter(pk=key_id, disabled_at=None).update(disabled_at=ClockTimestamp())
        if disabled:
            key = ApiKey.objects.select_related("merchant").get(pk=key_id)
            log_action(
                staff, Event.Type.API_KEY_DISABLED, key=str(key), merchant=key.merchant.slug, reason=reason
            )
    return bool(disabled)
