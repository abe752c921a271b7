"""A payment's history as one list: API requests, operations, every attempt at the bank, and events."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.utils.html import format_html
from django.utils.safestring import SafeString

from office.log import staff_actions
from office.pages.words import (
    NEUTRAL,
    WAITING,
    as_written,
    label,
    plain,
    state_label,
    utc,
    utc_to_the_millisecond,
)
from payments.domain.money import display
from payments.domain.states import OperationState
from payments.models import ApiRequest, Attempt, Event, IdempotencyKey, Operation, Payment

Facts = list[tuple[str, Any]]

REQUESTS_AT_MOST = 1000
_RESULT_OF = {200: "done", 201: "done", 202: "unfinished"}


@dataclass(frozen=True)
class Entry:
    """One line. `sort` is request, operation, attempt or event, or `gap` if lines are left out."""

    at: datetime
    sort: str
    title: str
    label: SafeString | str = ""
    facts: Facts = field(default_factory=list)

    @property
    def time(self) -> SafeString | str:
        return "" if self.sort == "gap" else utc_to_the_millisecond(self.at)


def timeline_of(payment: Payment, operations: list[Operation]) -> list[Entry]:
    """Everything that happened to the payment, oldest first. Needs the operations' attempts prefetched."""
    kinds = {operation.pk: operation.kind for operation in operations}
    keys = {
        key.operation_id: key
        for key in IdempotencyKey.objects.filter(operation__in=operations).order_by("id")
    }
    entries = [entry for one in operations for entry in _of_operation(one, keys.get(one.pk))]
    entries += [_of_event(event, kinds) for event in payment.events.order_by("id")]
    entries += _of_requests(payment)
    # The sort is stable: entries of the same microsecond stay in this order.
    return _merged(sorted(entries, key=lambda entry: entry.at))


def _of_requests(payment: Payment) -> list[Entry]:
    """The API requests that have no event, while they are stored; the newest if there are very many."""
    newest = list(ApiRequest.objects.filter(payment=payment).order_by("-id")[: REQUESTS_AT_MOST + 1])
    shown = [_of_request(request) for request in newest[:REQUESTS_AT_MOST]]
    if len(newest) == len(shown):
        return shown
    left_out = f"Older API requests are not shown, only the newest {REQUESTS_AT_MOST:,}."
    # In front, so that sorting keeps it before the oldest request.
    return [Entry(at=min(entry.at for entry in shown), sort="gap", title=left_out), *shown]


def _of_request(request: ApiRequest) -> Entry:
    return Entry(
        at=request.responded_at,
        sort="request",
        title=f"API request to {request.kind}, response {request.status}",
        label=label(_RESULT_OF.get(request.status, "") or request.code.replace("_", " "), NEUTRAL),
        facts=_known(
            ("Response", request.is_replay and "stored response, replayed byte for byte"),
            ("Actor", request.actor),
            ("Request", request.request_id),
        ),
    )


def _merged(entries: list[Entry]) -> list[Entry]:
    """Merges consecutive identical requests into one entry: a client may poll every two seconds."""
    merged: list[Entry] = []
    for _, alike in groupby(entries, key=lambda entry: (entry.sort, entry.title, str(entry.label))):
        same = list(alike)
        if same[0].sort != "request" or len(same) == 1:
            merged += same
            continue
        times = [("Times", f"{len(same)}"), ("Last at", same[-1].time)]
        merged.append(replace(same[0], facts=[*times, *same[-1].facts]))
    return merged


def _key_of(key: IdempotencyKey | None) -> Facts:
    """The merchant's idempotency key and its stored response. Both are deleted after 30 days."""
    if key is None:
        return []
    final = key.response_status and f"{key.response_status}, replayed to every retry"
    return _known(("Idempotency key", key.key), ("Stored response", final))


def _of_operation(operation: Operation, key: IdempotencyKey | None) -> Iterator[Entry]:
    by_api = operation.actor.startswith("api_key:")
    asked_by = _known(("Actor", operation.actor), ("Request", operation.request_id))
    if by_api:
        yield Entry(
            at=operation.created_at,
            sort="request",
            title=f"API request to {operation.kind}",
            label=label("first request", NEUTRAL),
            facts=[*asked_by, *_key_of(key)],
        )
    yield Entry(
        at=operation.created_at,
        sort="operation",
        title=f"{plain(operation.kind)} recorded, {_sent(operation)}",
        label=state_label(operation.state),
        facts=_known(
            ("Operation", operation.public_id),
            ("Amount", display(operation.amount_minor, operation.currency)),
            ("Target", operation.target_reference),
            ("Bank reference", operation.bank_reference),
            ("Code", operation.outcome_code),
            ("Finished", operation.finished_at and utc_to_the_millisecond(operation.finished_at)),
            ("Next attempt", _next_attempt(operation)),
            ("Reason", operation.reason),
            ("Awaiting statement", _strays(operation.strays_awaited)),
            ("Next check for holds", operation.look_again_at and utc(operation.look_again_at)),
            *(() if by_api else asked_by),
        ),
    )
    for attempt in operation.attempts.all():
        yield _of_attempt(operation, attempt)


def _sent(operation: Operation) -> str:
    """Whether FicPay sends the operation, or staff recorded what the bank had done without it."""
    is_ours = operation.state != OperationState.SUCCEEDED or operation.attempts.all()
    return f"to be sent to {operation.bank}" if is_ours else f"executed by {operation.bank} without FicPay"


def _strays(awaited: int) -> str:
    """How many possible holds the bank's statement must show or rule out."""
    return f"{awaited} possible hold{'' if awaited == 1 else 's'} without a reply" if awaited else ""


def _of_attempt(operation: Operation, attempt: Attempt) -> Entry:
    return Entry(
        at=attempt.started_at,
        sort="attempt",
        title=f"{plain(operation.kind)}, {'probe' if attempt.is_probe else 'attempt'} {attempt.number}",
        label=_result_of(attempt),
        facts=_known(
            ("Said", attempt.http_status and attempt.said and plain(attempt.said).lower()),
            ("Reply", attempt.reply),
            ("HTTP status", attempt.http_status),
            ("Bank reference", attempt.bank_reference),
            ("Stored reply", attempt.is_replay and "yes, to an earlier attempt"),
            ("Duration", None if attempt.duration_ms is None else f"{attempt.duration_ms:,} ms"),
            ("Counts as", attempt.verdict and plain(attempt.verdict).lower()),
            ("Late", attempt.is_late and "yes, after its sender lost the lease or the operation ended"),
            ("In doubt", _doubt(attempt)),
        ),
    )


def _of_event(event: Event, kinds: dict[UUID, str]) -> Entry:
    kind = kinds.get(event.operation_id) if event.operation_id else None
    known = event.evidence | staff_actions.as_proposed(event.evidence)
    evidence = [
        (staff_actions.name_of(name), _shown(value)) for name, value in known.items() if name != "user"
    ]
    return Entry(
        at=event.at,
        sort="event",
        title=staff_actions.WORDS.get(event.type) or plain(event.type),
        facts=_known(
            ("Operation", kind if kind and not event.type.startswith(kind) else ""),
            *evidence,
            ("Actor", event.actor),
            ("Request", event.request_id),
        ),
    )


def _result_of(attempt: Attempt) -> SafeString:
    if not attempt.result:
        return label("end not recorded", WAITING)
    silent = attempt.result == Attempt.Result.SILENT
    return label(attempt.get_result_display(), WAITING if silent else NEUTRAL)


def _doubt(attempt: Attempt) -> str:
    """Whether the attempt may have been executed. A probe executes nothing."""
    if attempt.in_doubt is False or attempt.is_probe:
        return ""
    return "yes, the bank may have executed it"


def _next_attempt(operation: Operation) -> SafeString | str:
    """From when on recovery may ask about an operation in doubt."""
    if operation.state != OperationState.OPEN or operation.due_at is None:
        return ""
    return format_html("not before {}", utc(operation.due_at))


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):  # a line of a statement, or the time that statements cover
        return ", ".join(f"{plain(name).lower()} {part}" for name, part in value.items())
    return str(value)


def _known(*facts: tuple[str, Any]) -> Facts:
    """The facts that have a value. Zero is a value."""
    known = [(name, value) for name, value in facts if value not in ("", None, False)]
    return [
        (name, as_written(value) if isinstance(value, str) and not isinstance(value, SafeString) else value)
        for name, value in known
    ]
