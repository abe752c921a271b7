"""Keeps the search up to date by following the payments' events by id.

Every change of a payment writes an event in its own transaction. Ids are assigned before transactions commit,
so a lower id may become visible after a higher one. Missing ids below the highest are read again until every
transaction that may own one of them has ended.
"""

import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import structlog
from django.db import close_old_connections, connection, transaction
from django.db.models import Subquery
from django.db.models.functions import Coalesce

from office.pages.words import age
from office.search.fill import fill
from office.search.models import FollowedEvents
from payments.models import Event
from payments.models.guards import database_is_away
from payments.usecases import heartbeats

log = structlog.get_logger("office.search")
BATCH = 2000  # events read at once
_EVERY = 0.5  # seconds between reads when idle; short enough that nobody notices the lag
_HEARTBEAT_EVERY = 15.0
# A transaction gets its number with its first write, at the latest when its event is inserted. Between the id
# and the insert only that row's trigger runs.
_NUMBERED_WITHIN = timedelta(seconds=1)
_UNNOTICED = timedelta(seconds=2)
_THE_ROW = 1
_SNAPSHOT = """
    SELECT clock_timestamp(), pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint
    FROM pg_current_snapshot() AS s
"""
_MISSING = """
    SELECT e.id, e.payment_id FROM unnest(%s::bigint[], %s::bigint[]) AS range (first, last)
    JOIN payments_event e ON e.id BETWEEN range.first AND range.last ORDER BY e.id LIMIT %s
"""
_NEXT = "SELECT id, payment_id FROM payments_event WHERE id > %s ORDER BY id LIMIT %s"
Range = tuple[int, int]  # of ids, both included


@dataclass(frozen=True)
class Snapshot:
    """At this time all transactions below number `begin` had ended, and none from `end` on had begun."""

    at: datetime
    begin: int
    end: int


@dataclass(frozen=True)
class Known:
    """What a process has read: the missing ids between `settled_id` and `read_id`."""

    settled_id: int
    read_id: int
    missing: list[Range]


class Follower:
    """Follows the events. Several processes may run: one works at a time, the others wait."""

    def __init__(self) -> None:
        self._known = Known(0, 0, [])

    def step(self) -> bool | None:
        """Read the next events and update their payments, in one transaction. Returns whether there may be
        more.

        None if another process is working.
        """
        with transaction.atomic(durable=True):
            row = _locked_row()
            if row is None:
                return None
            before = _position(row)
            snapshot = _snapshot()
            missing = self._missing(row)
            late = _read(_MISSING, [first for first, _ in missing], [last for _, last in missing], BATCH)
            new = _read(_NEXT, row.read_id, BATCH)
            fill({payment for payment in (late | new).values() if payment is not None})
            missing = [gap for first, last in missing for gap in gaps(first - 1, late, last + 1)]
            if new:
                missing += gaps(row.read_id, new, max(new) + 1)
                row.read_id = max(new)
            if len(late) < BATCH:
                _settle(row, snapshot)
            if _position(row) != before:
                row.save()
            missing = [gap for gap in missing if gap[1] > row.settled_id]
        self._known = Known(row.settled_id, row.read_id, missing)
        return BATCH in (len(late), len(new))

    def _missing(self, row: FollowedEvents) -> list[Range]:
        """The missing ids; all unsettled ones if another process has worked meanwhile."""
        if (row.settled_id, row.read_id) == (self._known.settled_id, self._known.read_id):
            return self._known.missing
        return [(row.settled_id + 1, row.read_id)] if row.read_id > row.settled_id else []


def watch(stop: threading.Event) -> None:
    """Follow the events until `stop` is set. A heartbeat means that the search makes progress."""
    follower, beaten_at = Follower(), float("-inf")
    log.info("search_follows_events")
    while not stop.is_set():
        close_old_connections()
        has_more: bool | None = False
        try:
            has_more = follower.step()
            if time.monotonic() - beaten_at >= _HEARTBEAT_EVERY:
                heartbeats.beat_search()
                beaten_at = time.monotonic()
        except Exception as error:
            # No error ends the watch, only `stop`.
            connection.close()
            if database_is_away(error):
                log.warning("database_away", error=type(error).__name__)
            else:
                log.exception("search_not_updated")
        if not has_more:
            stop.wait(_EVERY)
    connection.close()


def catch_up() -> bool:
    """Read all events. False if another process is working."""
    follower = Follower()
    while more := follower.step():
        pass
    return more is not None


def rebuild() -> None:
    """Start again from the first event, so that every payment is written again."""
    FollowedEvents.objects.update_or_create(
        pk=_THE_ROW, defaults={"settled_id": 0, "read_id": 0, "mark_id": None, "mark_end": None}
    )


def lag(now: datetime) -> timedelta:
    """The age of the oldest event that the search has not read; zero if it has read all."""
    read_id = Coalesce(Subquery(FollowedEvents.objects.filter(pk=_THE_ROW).values("read_id")), 0)
    at = Event.objects.filter(pk__gt=read_id).order_by("pk").values_list("at", flat=True).first()
    return max(now - at, timedelta(0)) if at else timedelta(0)


def behind(now: datetime) -> str:
    """The lag in words, as `14 s`; empty if negligible."""
    lags = lag(now)
    return age(lags) if lags > _UNNOTICED else ""


def gaps(before: int, ids: dict[int, UUID | None], after: int) -> list[Range]:
    """The ranges between `before` and `after`, both excluded, without any of the (sorted) ids."""
    bounds = [before, *(one for one in ids if before < one < after), after]
    return [(one + 1, following - 1) for one, following in pairwise(bounds) if following - one > 1]


def _settle(row: FollowedEvents, snapshot: Snapshot) -> None:
    """Advance `settled_id`. Called after the missing ids were read by a later snapshot than this one."""
    if row.mark_id is None:
        if row.read_id > row.settled_id:
            row.mark_id, row.marked_at, row.mark_end = row.read_id, snapshot.at, None
    elif row.mark_end is None:
        if row.marked_at is None or snapshot.at - row.marked_at >= _NUMBERED_WITHIN:
            row.mark_end = snapshot.end
    elif snapshot.begin >= row.mark_end:
        row.settled_id, row.mark_id, row.mark_end = row.mark_id, None, None


def _position(row: FollowedEvents) -> tuple[object, ...]:
    return row.settled_id, row.read_id, row.mark_id, row.marked_at, row.mark_end


def _locked_row() -> FollowedEvents | None:
    """The row, locked; None if another process has locked it."""
    rows = FollowedEvents.objects.select_for_update(skip_locked=True).filter(pk=_THE_ROW)
    if (row := rows.first()) or FollowedEvents.objects.filter(pk=_THE_ROW).exists():
        return row
    FollowedEvents.objects.bulk_create([FollowedEvents(pk=_THE_ROW)], ignore_conflicts=True)
    return rows.first()


def _snapshot() -> Snapshot:
    with connection.cursor() as cursor:
        cursor.execute(_SNAPSHOT)
        ((at, begin, end),) = cursor.fetchall()
    return Snapshot(at, begin, end)


def _read(query: str, *parameters: Any) -> dict[int, UUID | None]:
    """The payment of each event by the event's id, in order."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return dict(cursor.fetchall())
