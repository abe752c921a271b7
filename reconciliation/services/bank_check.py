"""Compares our books with a bank's own API, by the bank's ids: `manage.py reconcile bank`.

Each hold, capture and refund that succeeded is looked up once, in the order of the events, at a steady rate.
How far this has come is kept after each batch, so a check that was killed goes on. It finds what is in our
books and not at the bank, or has another amount there. What only the bank has, only its statement shows.

A sick bank may say that it knows nothing. So a reply that disagrees with our books counts only when the bank
repeats it half a minute later, and was healthy after both: it was healthy before and after the second.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max, Min

from payments.domain.days import begin_of
from payments.domain.replies import LookUp, Unclear
from payments.domain.states import OperationKind, OperationState
from payments.domain.timing import CONTRADICTIONS_APART
from payments.engine import send
from payments.engine.abilities import abilities_of
from payments.engine.capacity import capacity_of
from payments.engine.refusals import Overloaded
from payments.models import Event, Operation
from payments.models.clock import ClockTimestamp, read_clock
from reconciliation.models import BankCheck, Run
from reconciliation.services import differences
from reconciliation.services.bank_differences import difference_of, differences_found
from reconciliation.services.bank_lock import lock_bank

LOOK_UPS_A_SECOND = 5.0
BATCH = 100  # look-ups between two records of how far the check has come
_SUCCESSES = (
    *(Event.Type.PAYMENT_AUTHORIZED, Event.Type.PAYMENT_CAPTURED, Event.Type.PAYMENT_REFUNDED),
    Event.Type.REFERENCE_FOUND,
)
# Ids of events are given before their transactions commit. After so long no lower id appears any more.
SETTLED_AFTER = timedelta(hours=1)
_EVENTS_AT_ONCE = 20_000
_UNCLEAR_IN_A_ROW = 5  # then the bank is left alone until the next check
_ASKED_AGAIN = 500  # at most, before anything new


class CannotLookUp(Exception):
    """The bank has no look-up. The message says so in a sentence."""


@dataclass
class Checked:
    """What a check came to. `stopped` says why it ended before it was through; empty where it was not."""

    bank: str
    asked: int = 0
    agreed: int = 0
    unclear: int = 0
    differences: int = 0  # found by this check
    stopped: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class _Batch:
    """Operations to ask about, each with the position that the check has come to once it was asked."""

    asked: list[tuple[Operation, int]]
    end: int  # the position once all were asked
    known: frozenset[UUID] = frozenset()  # those of open differences: no second look is needed to keep them
    answers: dict[UUID, LookUp] = field(default_factory=dict)


def check_bank(
    bank: str,
    *,
    actor: str,
    rate: float = LOOK_UPS_A_SECOND,
    since: date | None = None,
    limit: int | None = None,
    within: timedelta | None = None,
    apart: timedelta = CONTRADICTIONS_APART,
    settled_after: timedelta = SETTLED_AFTER,
) -> Checked:
    """Look up what has succeeded since the last check, and first what was unclear or different then.

    `rate`: look-ups a second, at most. `since`: begin again with this day (UTC). `limit`: at most so many
    look-ups. `within`: none begins after this time. Asks the bank with no transaction open and no connection
    held. Two checks at once do no harm: the one that is behind stops. Raises CannotLookUp.
    """
    if not abilities_of(bank).looks_up:
        raise CannotLookUp(f"The bank {bank} has no look-up by its ids.")
    place = _place(bank, since)
    checked, run = Checked(bank), None
    until = float("inf") if within is None else time.monotonic() + within.total_seconds()
    asking = _Asking(bank, rate, until)
    for batch in _batches(place, limit, read_clock() - settled_after):
        if batch.asked and run is None:
            run = Run.objects.create(kind=Run.Kind.BANK, bank=bank, actor=actor)
        connection.close()
        asking.ask(batch, apart)
        if not _keep(place, batch, checked, run):
            checked.stopped = "another check has gone on from here"
            break
        if asking.stopped:
            checked.stopped = asking.stopped
            break
    if run is not None:
        Run.objects.filter(pk=run.pk).update(ended_at=ClockTimestamp(), counts=checked.as_dict())
    return checked


class _Asking:
    """Asks one bank at a steady rate, and gives up on a bank that gives no clear reply."""

    def __init__(self, bank: str, rate: float, until: float) -> None:
        self._bank, self._pause, self._until = bank, 1 / rate, until
        self._next = time.monotonic()
        self._unclear_in_a_row = 0
        self.stopped = ""

    def ask(self, batch: _Batch, apart: timedelta) -> None:
        """Fill in the batch's answers; it ends with the last one that was asked."""
        for place, (operation, _) in enumerate(batch.asked):
            if self._must_stop():
                del batch.asked[place:]
                batch.end = batch.asked[-1][1] if batch.asked else 0
                break
            batch.answers[operation.pk] = self._look_up(operation)
        asked = [one for one, _ in batch.asked if one.pk not in batch.known]
        suspects = [one for one in asked if _is_suspect(one, batch.answers[one.pk])]
        if suspects:
            time.sleep(apart.total_seconds())
        for operation in suspects:
            again = Unclear("asked once only") if self._must_stop() else self._look_up(operation)
            batch.answers[operation.pk] = again

    def _must_stop(self) -> bool:
        if time.monotonic() >= self._until:
            self.stopped = "its time is up"
        elif self._unclear_in_a_row >= _UNCLEAR_IN_A_ROW:
            self.stopped = "the bank gives no clear reply"
        return bool(self.stopped)

    def _look_up(self, operation: Operation) -> LookUp:
        """On a bank thread, as every bank call."""
        now = time.monotonic()
        time.sleep(max(0.0, self._next - now))
        self._next = max(self._next, now) + self._pause
        kind, reference = OperationKind(operation.kind), operation.bank_reference
        try:
            with capacity_of(self._bank).threads.reserve() as slot:
                asked = slot.submit(lambda: send.look_up(self._bank, kind, reference))
            answer = asked.result()
        except Overloaded:
            answer = Unclear("all threads of the bank are busy")
        is_unclear = isinstance(answer, Unclear)
        self._unclear_in_a_row = self._unclear_in_a_row + 1 if is_unclear else 0
        return answer


def _is_suspect(operation: Operation, answer: LookUp) -> bool:
    return not isinstance(answer, Unclear) and difference_of(operation, answer) is not None


def _place(bank: str, since: date | None) -> BankCheck:
    place, _ = BankCheck.objects.get_or_create(bank=bank)
    if since is not None:
        place.position = _position_before(begin_of(since))
        place.save(update_fields=["position"])
    return place


def _position_before(at: datetime) -> int:
    """The last event before this moment: ids grow with time, and only ids have an index."""
    low, high = 0, Event.objects.aggregate(last=Max("pk"))["last"] or 0
    while low < high:
        middle = (low + high) // 2
        event = Event.objects.filter(pk__gt=middle).order_by("pk").values_list("pk", "at").first()
        if event is not None and event[1] < at:
            low = event[0]
        else:
            high = middle
    return low


def _batches(place: BankCheck, limit: int | None, until: datetime) -> Iterator[_Batch]:
    """What is to be asked again, then what is new. An empty batch of events moves the check on, too."""
    left = limit if limit is not None else float("inf")
    again, known = _to_ask_again(place)
    for start in range(0, len(again), BATCH):
        part = again[start : start + int(min(BATCH, left))]
        if part:
            yield _Batch([(one, place.position) for one in part], place.position, known)
        left -= len(part)
    while left > 0:
        batch = _new(place, int(min(BATCH, left)), until)
        if batch.end == place.position:
            return
        yield batch
        left -= len(batch.asked)


def _to_ask_again(place: BankCheck) -> tuple[list[Operation], frozenset[UUID]]:
    """Those that were unclear, and those of open differences that a check has found; and which these are."""
    differing = differences_found(place.bank).order_by("pk").values_list("operation_id", flat=True)
    known = [one for one in differing[:_ASKED_AGAIN] if one is not None]
    ids = [*(UUID(one) for one in place.unclear), *known][:_ASKED_AGAIN]
    return list(Operation.objects.select_related("payment").in_bulk(ids).values()), frozenset(known)


def _new(place: BankCheck, most: int, until: datetime) -> _Batch:
    """The next operations by the events of their success, out of so many events as are read at once."""
    following = Event.objects.filter(pk__gt=place.position).order_by("pk")[:_EVENTS_AT_ONCE]
    last = following.aggregate(last=Max("pk"))["last"] or place.position
    window = Event.objects.filter(pk__gt=place.position, pk__lte=last)
    young = window.filter(at__gte=until).aggregate(first=Min("pk"))["first"]
    end = last if young is None else young - 1
    looked_up = [kind.value for kind in abilities_of(place.bank).looks_up]
    found = (
        window.filter(
            pk__lte=end,
            type__in=_SUCCESSES,
            operation__bank=place.bank,
            operation__kind__in=looked_up,
            operation__state=OperationState.SUCCEEDED,
        )
        .exclude(operation__bank_reference="")
        .order_by("pk")
        .select_related("operation__payment")
    )
    events = list(found[:most])
    asked: dict[UUID, tuple[Operation, int]] = {}
    for event in events:
        if event.operation is not None:
            asked.setdefault(event.operation.pk, (event.operation, event.pk))
    return _Batch(list(asked.values()), events[-1].pk if len(events) == most else end)


def _keep(place: BankCheck, batch: _Batch, checked: Checked, run: Run | None) -> bool:
    """Record what the bank said and how far the check has come; False where another one has gone on."""
    found, unclear = [], []
    for operation, _ in batch.asked:
        answer = batch.answers[operation.pk]
        if isinstance(answer, Unclear):
            unclear.append(operation.pk.hex)
        elif difference := difference_of(operation, answer):
            found.append(difference)
    asked = {operation.pk.hex for operation, _ in batch.asked}
    answered = [UUID(one) for one in asked.difference(unclear)]
    now_unclear = sorted({*(one for one in place.unclear if one not in asked), *unclear})
    with transaction.atomic(durable=True):
        lock_bank(place.bank)
        unchanged = BankCheck.objects.filter(bank=place.bank, position=place.position, unclear=place.unclear)
        if not unchanged.update(position=max(place.position, batch.end), unclear=now_unclear):
            return False
        looked_at = differences_found(place.bank).filter(operation__in=answered)
        differences.record(found, run=run, looked_at=looked_at)
    place.position, place.unclear = max(place.position, batch.end), now_unclear
    checked.asked += len(asked)
    checked.unclear += len(unclear)
    checked.differences += len(found)
    checked.agreed = checked.asked - checked.unclear - checked.differences
    return True
