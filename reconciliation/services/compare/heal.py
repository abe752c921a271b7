"""Healing: what a bank's statements tell about operations that our books do not know in full.

Each operation is one transaction and one call of a use case, judged anew under the bank's lock. What cannot
be healed now, because it is locked or being asked about, is left for the next run.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, OperationalError, connection, transaction

from payments.domain.statements import COVERED_AFTER, Covered, Shown
from payments.domain.states import OperationKind, OperationState
from payments.engine.abilities import abilities_of, banks_with_stray_holds
from payments.engine.conclude import Outdated
from payments.engine.proofs import covered as window_of
from payments.models import Operation
from payments.models.guards import is_locked
from payments.usecases import healing, stray_holds
from payments.usecases.holds import Hold
from reconciliation.matching.healing import line_that_shows
from reconciliation.matching.lines import Ours
from reconciliation.models import Difference, StatementLine
from reconciliation.services.bank_lock import lock_bank
from reconciliation.services.compare import rows

log = structlog.get_logger("reconciliation.healing")

# What was healed, as the report counts it.
NAMED, ENDED, RULED_OUT, STRAYS, RELEASED = (
    *("reference_found", "ended_by_line", "not_executed", "stray_ruled_out"),
    "orphan_hold_released",
)
HEALED_IN_WORDS = {
    NAMED: "references filled in",
    ENDED: "operations ended",
    RULED_OUT: "operations found not executed",
    STRAYS: "possible holds ruled out",
    RELEASED: "holds voided",
}


def candidates(parameters: dict[str, Any], *, now: datetime) -> list[UUID]:
    """Operations that may be healed, inside the transaction that has `considered_line`."""
    return [row["id"] for row in rows("candidates", parameters | {"now": now})]


def heal_all(bank: str, operations: Iterable[UUID], *, now: datetime, grace: timedelta) -> Counter[str]:
    """Heal each that can be healed. Returns how many of each kind were."""
    healed: Counter[str] = Counter()
    for operation_id in operations:
        healed += _alone(bank, operation_id.hex, lambda one=operation_id: _heal(one, now, grace))
    return healed


def release_orphans(bank: str) -> Counter[str]:
    """Record a void of each orphan hold that may be voided, if the setting says so."""
    released: Counter[str] = Counter()
    if not settings.VOID_ORPHAN_HOLDS or bank not in banks_with_stray_holds():
        return released
    orphans = Difference.objects.filter(
        bank=bank,
        kind=Difference.Kind.ORPHAN_HOLD,
        state__in=[Difference.State.OPEN, Difference.State.ASSIGNED],
    )
    for orphan in orphans.select_related("line__file"):
        released += _alone(bank, orphan.subject, lambda one=orphan: _release(bank, one))
    return released


def _alone(bank: str, subject: str, heal: Any) -> Counter[str]:
    """Heal one in a transaction of its own. One that cannot be healed now does not stop the others."""
    try:
        with transaction.atomic(durable=True):
            lock_bank(bank)
            return Counter(heal())
    except Outdated as why:
        log.info("not_healed", subject=subject, why=str(why))
    except IntegrityError:
        log.exception("not_healed", subject=subject)
    except OperationalError as error:
        if not is_locked(error):
            raise
        connection.close()
        log.info("not_healed", subject=subject, why="locked")
    return Counter()


def _heal(operation_id: UUID, now: datetime, grace: timedelta) -> dict[str, int]:
    operation = Operation.objects.select_related("payment").get(pk=operation_id)
    if operation.awaiting_statement:
        return _rule_out_strays(operation)
    if operation.kind != OperationKind.AUTHORIZE:
        line = _line_that_shows(operation)
        if line is not None:
            is_named = operation.state == OperationState.SUCCEEDED
            (healing.name if is_named else healing.end)(operation_id, line)
            return {NAMED if is_named else ENDED: 1}
    if operation.state == OperationState.NEEDS_REVIEW:
        return _rule_out(operation, now, grace)
    return {}


def _line_that_shows(operation: Operation) -> Shown | None:
    named = StatementLine.objects.filter(
        bank=operation.bank, target_reference=operation.target_reference
    ).exclude(target_reference="")
    about = Operation.objects.filter(bank=operation.bank, target_reference=operation.target_reference)
    ours = [_ours(one) for one in about.exclude(pk=operation.pk)]
    me = _ours(operation)
    is_done_once = abilities_of(operation.bank).does_once(me.acts_as)
    if is_done_once and named.filter(kind=me.acts_as, match__isnull=False).exists():
        return None
    lines = [_shown(line) for line in named.filter(match=None).select_related("file")]
    rivals = sum(
        (one.is_unfinished or one.is_unnamed)
        and (one.acts_as, one.amount_minor) == (me.acts_as, me.amount_minor)
        for one in ours
    )
    return line_that_shows(me, lines, rivals=rivals, is_done_once=is_done_once)


def _rule_out(operation: Operation, now: datetime, grace: timedelta) -> dict[str, int]:
    """End it as not executed where no line shows it, and statements cover its time and that of late lines."""
    begins, ends = window_of(operation)
    last_sent = ends - COVERED_AFTER
    is_late = now - last_sent < grace
    covered = None if is_late else _covering(operation, begins, max(ends, last_sent + grace))
    if covered is None or _is_shown(operation, begins, ends):
        return {}
    healing.rule_out(operation.pk, covered)
    return {RULED_OUT: 1}


def _is_shown(operation: Operation, begins: datetime, ends: datetime) -> bool:
    """Whether a line may show it: of its target or, for an authorize, an unclaimed hold of its amount."""
    if operation.kind == OperationKind.AUTHORIZE:
        return _unclaimed(operation, begins, ends) > 0
    kind = OperationKind.VOID if operation.kind == OperationKind.RELEASE else operation.kind
    lines = StatementLine.objects.filter(
        bank=operation.bank, target_reference=operation.target_reference
    ).exclude(target_reference="")
    if kind == OperationKind.REFUND:
        lines = lines.filter(kind=kind, match=None)
    # Whatever else was done with the hold: the bank's ledger allows one thing.
    return lines.exists()


def _rule_out_strays(operation: Operation) -> dict[str, int]:
    begins, ends = window_of(operation)
    covered = _covering(operation, begins, ends)
    if covered is None:
        return {}
    left = _unclaimed(operation, begins, ends)
    return {STRAYS: healing.rule_out_strays(operation.pk, covered, left=left)}


def _covering(operation: Operation, begins: datetime, ends: datetime) -> Covered | None:
    found = rows("covering", {"bank": operation.bank, "begins": begins, "ends": ends})
    return Covered(found[0]["begins"], found[0]["ends"]) if found else None


def _unclaimed(operation: Operation, begins: datetime, ends: datetime) -> int:
    """How many holds of the operation's amount nobody claims in that time."""
    [found] = rows(
        "unclaimed",
        {
            "bank": operation.bank,
            "begins": begins,
            "ends": ends,
            "amount_minor": operation.amount_minor,
            "currency": operation.currency,
        },
    )
    return int(found["holds"])


def _release(bank: str, orphan: Difference) -> dict[str, int]:
    line = orphan.line
    assert line is not None  # noqa: S101 - an orphan hold is a line
    hold = Hold(bank, line.reference, line.amount_minor, line.currency)
    because = f"{line.file.name}, line {line.number}"
    return {RELEASED: int(stray_holds.release_on_statement(hold, made_at=line.at, because=because))}


def _shown(line: StatementLine) -> Shown:
    return Shown(
        bank=line.bank,
        kind=OperationKind(line.kind),
        reference=line.reference,
        target_reference=line.target_reference,
        amount_minor=line.amount_minor,
        currency=line.currency,
        at=line.at,
        file=line.file.name,
        line=line.number,
    )


def _ours(operation: Operation) -> Ours:
    return Ours(
        id=operation.pk.hex,
        kind=OperationKind(operation.kind),
        state=OperationState(operation.state),
        reference=operation.bank_reference,
        target=operation.target_reference,
        amount_minor=operation.amount_minor,
        currency=operation.currency,
        payment=operation.payment_id.hex if operation.payment_id else None,
        merchant=None,
        created_at=operation.created_at,
        is_matched=False,
    )
