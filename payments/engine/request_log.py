"""The log of responses that leave no event (replays, retries, refusals), for the payment's timeline."""

from uuid import UUID

import structlog
from django.db import DatabaseError, InterfaceError, connection, transaction

from payments.domain.timing import IDEMPOTENCY_KEYS_KEPT
from payments.models import ApiRequest
from payments.models.clock import clock_in
from payments.models.patience import wait_briefly

log = structlog.get_logger(__name__)
_PATIENCE = 0.05  # seconds


def note(
    *,
    payment_id: UUID,
    operation_id: UUID | None,
    kind: str,
    actor: str,
    request_id: str,
    status: int,
    code: str = "",
    is_replay: bool = False,
) -> None:
    """Log a response. Does not delay or fail the response: gives up where it cannot be logged at once."""
    try:
        with transaction.atomic(durable=True):
            wait_briefly(_PATIENCE)  # for the payment's row, which may be locked
            ApiRequest.objects.create(
                payment_id=payment_id,
                operation_id=operation_id,
                kind=kind,
                actor=actor,
                request_id=request_id,
                status=status,
                code=code,
                is_replay=is_replay,
            )
    except (DatabaseError, InterfaceError):
        connection.close()
        log.warning("request_not_noted", status=status, exc_info=True)


def sweep(*, limit: int) -> int:
    """Delete requests older than idempotency keys are kept; return how many, at most `limit`."""
    with transaction.atomic(durable=True):
        due = (
            ApiRequest.objects.select_for_update(skip_locked=True)
            .filter(responded_at__lt=clock_in(-IDEMPOTENCY_KEYS_KEPT.total_seconds()))
            .order_by("responded_at")
            .values_list("pk", flat=True)[:limit]
        )
        swept, _ = ApiRequest.objects.filter(pk__in=list(due)).delete()
    return swept
