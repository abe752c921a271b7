"""Questions about payments that several readers ask."""

from django.db.models import OuterRef, QuerySet, Subquery

from payments.domain.states import UNFINISHED_OPERATIONS, OperationKind
from payments.models.operations import Operation
from payments.models.payments import Payment


def unfinished_operations() -> QuerySet[Operation]:
    """Operations that take their payment's one open slot; a release takes none."""
    return Operation.objects.filter(state__in=UNFINISHED_OPERATIONS).exclude(kind=OperationKind.RELEASE)


def payments_with_pending() -> QuerySet[Payment]:
    """Payments with the kind of their unfinished operation, for `Payment.pending_kind`: one statement."""
    pending = unfinished_operations().filter(payment=OuterRef("pk")).values("kind")[:1]
    return Payment.objects.annotate(unfinished_kind=Subquery(pending))
