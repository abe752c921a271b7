"""Which line of a statement shows the end of an operation that our books do not know in full."""

from collections.abc import Sequence

from payments.domain.statements import Shown
from payments.domain.states import OperationKind
from reconciliation.matching.lines import Ours, may_be_of

# What else the bank may have done with the hold instead.
_INSTEAD = {OperationKind.CAPTURE: OperationKind.VOID, OperationKind.VOID: OperationKind.CAPTURE}


def line_that_shows(
    operation: Ours, lines: Sequence[Shown], *, rivals: int, is_done_once: bool
) -> Shown | None:
    """The line that shows what became of the operation; None if there is none or more than one may.

    `lines` are the unmatched lines that name its hold or capture, `rivals` the other operations of ours that
    the same lines may show. A success without a reference takes a line of its own kind only.
    """
    if not is_done_once:
        lines = [line for line in lines if may_be_of(line.at, operation)]
    same = [line for line in lines if line.kind is operation.acts_as]
    exact = [line for line in same if _money(line) == _money(operation)]
    others = [line for line in lines if line.kind is not operation.acts_as]
    if operation.kind is not OperationKind.REFUND and same and others:
        return None  # the bank's ledger allows one or the other
    if exact:
        is_certain = len(exact) == 1 and not rivals and (len(same) == 1 or not is_done_once)
        return exact[0] if is_certain else None
    instead = [line for line in others if line.kind is _INSTEAD.get(operation.kind)]
    is_certain = not same and len(instead) == 1 and operation.is_unfinished
    return instead[0] if is_certain else None


def _money(one: Shown | Ours) -> tuple[int, str]:
    return one.amount_minor, one.currency
