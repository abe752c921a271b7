"""What an outcome does to its payment, by the operation's kind, whoever records it.

The request's own bank thread, recovery, a late answer and people: all find it here. Each use case has its
part beside what it asks for.
"""

from payments.domain.states import OperationKind
from payments.engine.conclude import Effect
from payments.usecases import authorize, capture, holds, refund, void

EFFECTS: dict[OperationKind, Effect] = {
    OperationKind.AUTHORIZE: authorize.record_outcome,
    OperationKind.CAPTURE: capture.record_outcome,
    OperationKind.VOID: void.record_outcome,
    OperationKind.REFUND: refund.record_outcome,
    OperationKind.RELEASE: holds.record_outcome,
}
