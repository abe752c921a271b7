"""Records responses that no event records, for the payment's timeline in the back office."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError, connection

from payments.domain.states import OperationKind
from payments.engine import claim, request_log
from payments.engine.claim import REPLAYED, MerchantRequest
from payments.engine.refusals import Refused
from payments.engine.responses import ApiResponse
from payments.models import Operation

# First responses that leave the operation's outcome open, so no event records them.
_WITHOUT_EVENT = (202, 503)


def note(request: MerchantRequest, operation: Operation, given: ApiResponse) -> None:
    """Record the response to a request about an operation."""
    request_log.note(
        payment_id=operation.claimed_payment.pk,
        operation_id=operation.pk,
        kind=operation.kind,
        actor=request.actor,
        request_id=request.request_id,
        status=given.status,
        is_replay=REPLAYED in given.headers,
    )


def note_first(request: MerchantRequest, given: ApiResponse, *, continued: bool) -> None:
    """Record the response of a use case, unless an event records it.

    If the database has become unavailable, nothing is recorded: the response must still be sent.
    """
    if not continued and given.status not in _WITHOUT_EVENT and REPLAYED not in given.headers:
        return
    try:
        operation = claim.operation_of(request)
    except (DatabaseError, InterfaceError):
        connection.close()
        return
    if operation is not None:
        note(request, operation, given)


@contextmanager
def noted_refusals(request: MerchantRequest) -> Iterator[None]:
    """Record a refusal that is about a payment, and raise it again."""
    try:
        yield
    except Refused as refused:
        met = refused.operation
        payment_id = refused.payment.pk if refused.payment else met.payment_id if met else None
        if payment_id is not None:
            verb = request.path.rpartition("/")[2]
            request_log.note(
                payment_id=payment_id,
                operation_id=met.pk if met else None,
                kind=verb if verb in tuple(OperationKind) else OperationKind.AUTHORIZE,
                actor=request.actor,
                request_id=request.request_id,
                status=refused.status,
                code=refused.code,
            )
        raise
