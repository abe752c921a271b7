"""Puts a difference into words: its state, what to do about it, and what each side's records show."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from office.pages.words import BAD, GOOD, HELD, NEUTRAL, as_written, label, plain, utc, with_times
from payments.domain.money import display
from payments.models import Operation
from reconciliation.models import Difference, DifferenceEvent, StatementLine

Kind, State = Difference.Kind, Difference.State
Facts = list[tuple[str, Any]]
_COLORS = {State.OPEN: BAD, State.ASSIGNED: HELD, State.RESOLVED: GOOD, State.ACCEPTED: NEUTRAL}
_STEPS = {
    DifferenceEvent.Type.OPENED: "Found",
    DifferenceEvent.Type.CHANGED: "Found again, with other evidence",
    DifferenceEvent.Type.ASSIGNED: "Taken",
    DifferenceEvent.Type.GIVEN_BACK: "Given back",
    DifferenceEvent.Type.RESOLVED: "Resolved: books and bank agree",
    DifferenceEvent.Type.ACCEPTED: "Accepted",
    DifferenceEvent.Type.REOPENED: "Came back",
}
PAYMENT = "admin:payments_payment_change"
FILE = "admin:reconciliation_statementfile_change"


def state_of(difference: Difference) -> SafeString:
    return label(difference.state.lower(), _COLORS[State(difference.state)])


def amount_of(difference: Difference) -> str:
    """Empty for a day without a statement."""
    if difference.amount_minor is None:
        return ""
    return display(difference.amount_minor, difference.currency)


def sides(difference: Difference) -> list[tuple[str, Facts]]:
    """What the bank's records show, and what our books have, each with what the run found beside it."""
    line, operation = difference.line, difference.operation
    found = difference.evidence
    at_bank = (_of_line(line) if line else []) + _found(found.get("bank"), besides=bool(line))
    in_books = (_of_operation(operation) if operation else []) + _found(
        found.get("books"), besides=bool(operation)
    )
    return [
        ("The bank's records", at_bank or [("Shows", "nothing about this")]),
        ("Our books", in_books or [("Have", "nothing about this")]),
    ]


def _of_line(line: StatementLine) -> Facts:
    file = format_html('<a href="{}">{}</a>', reverse(FILE, args=[line.file_id]), line.file.name)
    known = [
        ("Line", f"{line.kind} {line.reference}"),
        ("Names", line.target_reference),
        ("Amount", display(line.amount_minor, line.currency)),
        ("At", utc(line.at)),
        ("Statement", format_html("{}, line {}", file, line.number)),
        ("Repeated", f"{line.repeats} more times in that file" if line.repeats else ""),
    ]
    return [(name, value) for name, value in known if value]


def _of_operation(operation: Operation) -> Facts:
    payment: SafeString | str = ""
    if operation.payment:
        payment = format_html(
            '<a href="{}">{}</a>', reverse(PAYMENT, args=[operation.payment_id]), operation.payment.public_id
        )
    known = [
        ("Operation", f"{operation.kind} {operation.public_id}"),
        ("State", operation.state),
        ("Payment", payment),
        ("Order", as_written(operation.payment.order_id) if operation.payment else ""),
        ("Amount", display(operation.amount_minor, operation.currency)),
        ("Bank's reference", operation.bank_reference),
        ("Target", operation.target_reference),
        ("Ended", utc(operation.finished_at) if operation.finished_at else ""),
    ]
    return [(name, value) for name, value in known if value]


# What the line or the operation shows itself.
_SAME = frozenset(
    (
        *("file", "line", "number", "kind", "reference", "bank_reference", "target", "target_reference"),
        *("names", "amount", "amount_minor", "currency", "at", "operation", "payment", "state", "order_id"),
    )
)


def _found(evidence: dict[str, Any] | None, *, besides: bool) -> Facts:
    """What the run wrote down; `besides`: only what the row does not show."""
    known = {name: value for name, value in (evidence or {}).items() if value not in (None, "")}
    currency = str(known.get("currency", ""))
    return [
        (plain(name.removesuffix("_minor")), _shown(name, value, currency))
        for name, value in known.items()
        if not (besides and name in _SAME)
    ]


def _shown(name: str, value: Any, currency: str) -> Any:
    if isinstance(value, int) and name.startswith("amount") and currency:
        return display(value, currency)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return with_times(_as_time(value)) if isinstance(value, str) else str(value)


def _as_time(value: str) -> str:
    """An ISO time as pages write times; other text as it is."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment.tzinfo else value


def history_of(difference: Difference) -> list[tuple[Any, str, str, str]]:
    """Each step: when, what, by whom, and why."""
    return [
        (
            utc(event.at),
            _STEPS[DifferenceEvent.Type(event.type)],
            event.actor.removeprefix("staff:"),
            event.reason,
        )
        for event in difference.events.order_by("id")
    ]


def way_out(difference: Difference) -> list[tuple[str, str]]:
    """What closes it, as label and URL: another page of the back office."""
    ways: list[tuple[str, str]] = []
    if difference.kind == Kind.ORPHAN_HOLD and difference.line:
        query = urlencode({"bank": difference.bank, "reference": difference.line.reference})
        ways.append(("Void the hold…", f"{reverse('admin:payments_void_stray_hold')}?{query}"))
    if difference.kind == Kind.STATEMENT_MISSING:
        query = urlencode({"bank": difference.bank, "day": difference.subject.removeprefix("day:")})
        ways.append(("Upload the statement…", f"{reverse('admin:reconciliation_upload')}?{query}"))
    return ways
