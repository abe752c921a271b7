"""What each considered line and operation is found to be, as facts are read from the database."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from payments.domain.states import OperationKind, OperationState, PaymentState
from payments.engine.abilities import abilities_of
from reconciliation.matching.classes import NO_DIFFERENCE, Class
from reconciliation.matching.lines import LineFacts, Other, Ours, Owner, classify_line
from reconciliation.matching.operations import OperationFacts, classify_operation
from reconciliation.services.compare import execute
from reconciliation.services.differences import Found

_AT_ONCE = 2000  # rows in memory

Row = dict[str, Any]


@dataclass(frozen=True)
class Classified:
    """A line or an operation, and what it is. `found` is None where that is no difference."""

    what: Class
    amount_minor: int
    currency: str
    found: Found | None = None
    late_line_at: datetime | None = None  # the time of a line that a later run must look at again
    undecided_event: int | None = None  # the event of an operation that one must


def classified_lines(bank: str, *, since: datetime, parameters: Row) -> Iterator[Classified]:
    """Each considered line that is not matched, in the bank's order. `since`: later ones may be late."""
    abilities = abilities_of(bank)
    for row in _streamed("lines", parameters):
        kind = OperationKind(row["kind"])
        line = _line(row, kind, is_late=row["at"] > since, is_done_once=abilities.does_once(kind))
        for verdict in classify_line(line):
            yield Classified(
                what=verdict.what,
                amount_minor=line.amount_minor,
                currency=line.currency,
                found=_difference_of_line(bank, verdict.what, line, verdict.ours, row),
                late_line_at=line.at if verdict.what is Class.LATE else None,
            )


def classified_operations(bank: str, parameters: Row) -> Iterator[Classified]:
    """Each considered success that is not matched, the oldest first."""
    for row in _streamed("operations", parameters):
        what = classify_operation(OperationFacts(is_covered=row["is_covered"], has_line=row["has_line"]))
        is_undecided = what is Class.LATE and not row["is_before_all"]
        yield Classified(
            what=what,
            amount_minor=row["amount_minor"],
            currency=row["currency"],
            found=None if what in NO_DIFFERENCE else _difference_of_operation(bank, what, row),
            undecided_event=row["event"] if is_undecided else None,
        )


def _streamed(name: str, parameters: Row) -> Iterator[Row]:
    """The rows of that file's statement, a few at a time. Needs a transaction."""
    with connection.chunked_cursor() as cursor:
        execute(cursor, name, parameters)
        names = [column.name for column in cursor.description]
        while rows := cursor.fetchmany(_AT_ONCE):
            for row in rows:
                yield dict(zip(names, row, strict=True))


def _line(row: Row, kind: OperationKind, *, is_late: bool, is_done_once: bool) -> LineFacts:
    ours = [_ours(one) for one in json.loads(row["ours"])]
    twin = next((one for one in ours if one.reference == row["reference"] and one.acts_as is kind), None)
    others = [(one["reference"] == row["reference"], _other(one)) for one in json.loads(row["others"])]
    owner = json.loads(row["owner"] or "null")
    return LineFacts(
        id=row["id"],
        kind=kind,
        reference=row["reference"],
        target=row["target"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        at=row["at"],
        repeats=row["repeats"],
        is_matched=row["is_matched"],
        is_late=is_late,
        is_done_once=is_done_once,
        owner=Owner(owner["payment"], owner["merchant"], PaymentState(owner["state"])) if owner else None,
        twin=twin,
        about=tuple(one for one in ours if one is not twin),
        beside=tuple(one for is_same, one in others if not is_same),
        contents=tuple(one for is_same, one in others if is_same),
        naming=tuple(OperationKind(one) for one in row["naming"]),
        names_known_hold=row["names_known_hold"],
        is_named_by_us=row["is_named_by_us"],
        may_be_claimed=row["may_be_claimed"],
    )


def _ours(facts: Row) -> Ours:
    return Ours(
        **{
            **facts,
            "kind": OperationKind(facts["kind"]),
            "state": OperationState(facts["state"]),
            "created_at": datetime.fromisoformat(facts["created_at"]),
        }
    )


def _other(facts: Row) -> Other:
    return Other(
        id=facts["id"],
        kind=OperationKind(facts["kind"]),
        amount_minor=facts["amount_minor"],
        currency=facts["currency"],
        at=datetime.fromisoformat(facts["at"]),
        is_matched=facts["is_matched"],
        is_newer=facts["is_newer"],
        is_beside=facts["is_beside"],
    )


# What these are about is an operation of ours, whatever shows it.
_OF_OPERATIONS = (Class.AMOUNT_MISMATCH, Class.CURRENCY_MISMATCH, Class.STATE_MISMATCH)


def _difference_of_line(bank: str, what: Class, line: LineFacts, ours: Ours | None, row: Row) -> Found | None:
    if what in NO_DIFFERENCE:
        return None
    by_operation = ours is not None and what in _OF_OPERATIONS
    owner = line.owner
    payment = ours.payment if ours else owner.payment if owner else None
    return Found(
        kind=what.value,
        bank=bank,
        subject=f"op:{ours.id}" if ours and by_operation else f"line:{line.id}",
        happened_at=line.at,
        amount_minor=line.amount_minor,
        currency=line.currency,
        evidence={"bank": _shown(line, row), "books": _recorded(ours) if ours else _owned(owner)},
        line=line.id,
        operation=UUID(ours.id) if ours else None,
        payment=UUID(payment) if payment else None,
        merchant=ours.merchant if ours else owner.merchant if owner else None,
    )


def _difference_of_operation(bank: str, what: Class, row: Row) -> Found:
    return Found(
        kind=what.value,
        bank=bank,
        subject=f"op:{row['id']}",
        happened_at=row["finished_at"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        evidence={
            "bank": None,
            "books": {name: row[name] for name in _RECORDED}
            | {"recorded_at": _written(row["created_at"]), "finished_at": _written(row["finished_at"])},
        },
        operation=UUID(row["id"]),
        payment=UUID(row["payment"]) if row["payment"] else None,
        merchant=row["merchant"],
    )


_RECORDED = ("kind", "state", "reference", "target", "amount_minor", "currency")


def _shown(line: LineFacts, row: Row) -> Row:
    """The line, as evidence."""
    return {
        "kind": line.kind.value,
        "reference": line.reference,
        "target": line.target,
        "amount_minor": line.amount_minor,
        "currency": line.currency,
        "at": _written(line.at),
        "file": row["file"],
        "line": row["number"],
        **({"times": 1 + line.repeats} if line.repeats else {}),
    }


def _recorded(ours: Ours) -> Row:
    """The operation, as evidence."""
    return {
        "kind": ours.kind.value,
        "state": ours.state.value,
        "reference": ours.reference,
        "target": ours.target,
        "amount_minor": ours.amount_minor,
        "currency": ours.currency,
        "recorded_at": _written(ours.created_at),
    }


def _owned(owner: Owner | None) -> Row | None:
    """The payment that a line is about, as evidence."""
    return {"payment": f"pay_{owner.payment}", "state": owner.state.value} if owner else None


def _written(at: datetime) -> str:
    return at.isoformat()
