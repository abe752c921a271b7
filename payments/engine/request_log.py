"""What merchants' requests were answered where no event tells of it, noted for the payment's timeline."""

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
    """Note an answer. The answer is given all the same where that is not possible, or not at once."""
    try:
        with transaction.atomic(durable=True):
            wait_briefly(_PATIENCE)  # for the payment's row, which somebody may have locked
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
    """Forget requests as old as the keys that they came with; how many, at most `limit`, were forgotten."""
    with transaction.atomic(durable=True):
        due = (
            ApiRequest.objects.select_for_update(skip_locked=True)
            .filter(answered_at__lt=clock_in(-IDEMPOTENCY_KEYS_KEPT.total_seconds()))
            .order_by("answered_at")
            .values_list("pk", flat=True)[:limit]
        )
        swept, _ = ApiRequest.objects.filter(pk__in=list(due)).delete()
    return swept
