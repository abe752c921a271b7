"""The effects of outcomes on payments, by the operation's kind.

The request's own bank thread, recovery, late replies and staff all use this table. Each use case defines its
own effect.
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
