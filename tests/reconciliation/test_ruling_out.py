"""What the absence of a line must not end."""

from datetime import UTC, datetime, timedelta

from payments.domain.states import OperationKind, OperationState, PaymentState
from payments.models import Operation
from reconciliation.services.reconcile import reconcile
from tests.support.book_factories import StatementFileFactory
from tests.support.factories import OperationFactory, PaymentFactory

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=5)


def under_review(**columns: object) -> Operation:
    """A release that came to nothing for days."""
    operation: Operation = OperationFactory(
        kind=OperationKind.RELEASE,
        needs_review=True,
        created_at=LONG_AGO,
        lease_expires_at=LONG_AGO,
        **columns,
    )
    return operation


def test_a_release_of_a_payments_hold_stays_under_review() -> None:
    """Its hold blocks money still. One without a payment shows as an orphan hold again."""
    StatementFileFactory(covers_from=LONG_AGO - timedelta(days=1), covers_to=NOW)
    expired = PaymentFactory(state=PaymentState.EXPIRED)
    kept = under_review(payment=expired, target_reference=expired.bank_authorization_id)
    ended = under_review(payment=None)

    run = reconcile("ficmart", actor="test")

    assert run.counts["healed"] == {"not_executed": 1}
    states = dict(Operation.objects.filter(kind="release").values_list("pk", "state"))
    assert states == {kept.pk: OperationState.NEEDS_REVIEW, ended.pk: OperationState.NOT_EXECUTED}
