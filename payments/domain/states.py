"""The states of payments and operations, and the only edges between them.

The models' transitions and the API's refusals are built from these tables. The database's guards repeat the
edges; a test compares them.
"""

from enum import StrEnum
from itertools import chain


class Mode(StrEnum):
    """The mode of an API key. Neither mode sees the other's data."""

    LIVE = "live"
    TEST = "test"


class PaymentState(StrEnum):
    """The state of a payment. Resting states are participles."""

    PENDING = "PENDING"  # the authorize is in progress or in doubt
    AUTHORIZED = "AUTHORIZED"  # the bank holds the money
    CAPTURED = "CAPTURED"  # the money is taken
    REFUNDED = "REFUNDED"  # all captured money is given back
    VOIDED = "VOIDED"  # the hold was voided before a capture
    EXPIRED = "EXPIRED"  # the hold expired before a capture
    DECLINED = "DECLINED"  # the issuer declined the card
    FAILED = "FAILED"  # not executed, as far as the bank can say


class OperationKind(StrEnum):
    """The kinds of instructions to a bank. A release is a void of ours that frees an unneeded hold."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"
    RELEASE = "release"


class OperationState(StrEnum):
    """What is known of an operation's outcome."""

    OPEN = "OPEN"  # recorded, in flight or in doubt
    NEEDS_REVIEW = "NEEDS_REVIEW"  # FicPay cannot settle it: staff or a statement decide
    SUCCEEDED = "SUCCEEDED"  # executed by the bank
    DECLINED = "DECLINED"  # the issuer declined the card
    REJECTED = "REJECTED"  # a bank error that is final: the hold has expired
    NOT_EXECUTED = "NOT_EXECUTED"  # never reached the bank, or proven not to have been executed


PAYMENT_EDGES = (
    (PaymentState.PENDING, PaymentState.AUTHORIZED),
    (PaymentState.PENDING, PaymentState.DECLINED),
    (PaymentState.PENDING, PaymentState.FAILED),
    (PaymentState.AUTHORIZED, PaymentState.CAPTURED),
    (PaymentState.AUTHORIZED, PaymentState.VOIDED),
    (PaymentState.AUTHORIZED, PaymentState.EXPIRED),
    (PaymentState.CAPTURED, PaymentState.REFUNDED),
)


def since(state: PaymentState) -> tuple[PaymentState, ...]:
    """The states of a payment that is or was in this one. Each state is reached by one path only."""
    later = (since(target) for source, target in PAYMENT_EDGES if source is state)
    return (state, *chain.from_iterable(later))


FINISHED_OPERATIONS = (
    OperationState.SUCCEEDED,
    OperationState.DECLINED,
    OperationState.REJECTED,
    OperationState.NOT_EXECUTED,
)
UNFINISHED_OPERATIONS = (OperationState.OPEN, OperationState.NEEDS_REVIEW)
OPERATION_EDGES = (
    (OperationState.OPEN, OperationState.NEEDS_REVIEW),
    *((unfinished, finished) for unfinished in UNFINISHED_OPERATIONS for finished in FINISHED_OPERATIONS),
)

# A second authorize for an order with one of these would hold the customer's money twice.
LIVE_PAYMENTS = (PaymentState.PENDING, PaymentState.AUTHORIZED, PaymentState.CAPTURED)
# A hold exists or existed at the bank, so its id is known.
HELD_PAYMENTS = since(PaymentState.AUTHORIZED)
