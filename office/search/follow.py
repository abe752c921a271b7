"""Keeping the search up to date: it follows the payments' events by their ids.

Every change of a payment writes an event in its own transaction. Ids are given out before transactions
commit, so a lower one may become visible after a higher one. Ids that are missing below the highest are
looked for again, until every transaction has ended that may have one of them.
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
_EVERY = 0.5  # seconds between looks where nothing is left to read, so that nobody notices the lag
_HEARTBEAT_EVERY = 15.0
# A transaction gets its number at its first write, at the latest with the event whose id it has: between the
# two lies the trigger of that row.
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
    """At this time, transactions with numbers below `begin` had ended, and none had one from `end` on."""

    at: datetime
    begin: int
    end: int


@dataclass(frozen=True)
class Known:
    """What a process has seen: which ids are missing, up to `read_id`, from the first unsettled one on."""

    settled_id: int
    read_id: int
    missing: list[Range]


class Follower:
    """A process that follows the events. Several may run: one at a time works, and the others wait."""

    def __init__(self) -> None:
        self._known = Known(0, 0, [])

    def step(self) -> bool | None:
        """Read the next events and bring their payments up to date; whether there may be more.

        None where another process is at it. One transaction.
        """
        with transaction.atomic(durable=True):
            row = _locked_row()
            if row is None:
                return None
            before = _told(row)
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
            if _told(row) != before:
                row.save()
            missing = [gap for gap in missing if gap[1] > row.settled_id]
        self._known = Known(row.settled_id, row.read_id, missing)
        return BATCH in (len(late), len(new))

    def _missing(self, row: FollowedEvents) -> list[Range]:
        """All that is not settled, where another process has gone on since."""
        if (row.settled_id, row.read_id) == (self._known.settled_id, self._known.read_id):
            return self._known.missing
        return [(row.settled_id + 1, row.read_id)] if row.read_id > row.settled_id else []


def watch(stop: threading.Event) -> None:
    """Follow the events until told to stop. The heartbeat means that the search gets on."""
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
            # Nothing ends the watch but being told to.
            connection.close()
            if database_is_away(error):
                log.warning("database_away", error=type(error).__name__)
            else:
                log.exception("search_not_updated")
        if not has_more:
            stop.wait(_EVERY)
    connection.close()


def catch_up() -> bool:
    """Read all the events there are. False where another process is at it."""
    follower = Follower()
    while more := follower.step():
        pass
    return more is not None


def begin_anew() -> None:
    """Have every event read again, from the first one on, and so every payment written anew."""
    FollowedEvents.objects.update_or_create(
        pk=_THE_ROW, defaults={"settled_id": 0, "read_id": 0, "mark_id": None, "mark_end": None}
    )


def lag(now: datetime) -> timedelta:
    """How long ago the first event happened that the search does not know of; nothing where there is none."""
    read_id = Coalesce(Subquery(FollowedEvents.objects.filter(pk=_THE_ROW).values("read_id")), 0)
    at = Event.objects.filter(pk__gt=read_id).order_by("pk").values_list("at", flat=True).first()
    return max(now - at, timedelta(0)) if at else timedelta(0)


def behind(now: datetime) -> str:
    """The lag in words, `14 s`; empty where it is so short that nobody would notice."""
    lags = lag(now)
    return age(lags) if lags > _UNNOTICED else ""


def gaps(before: int, ids: dict[int, UUID | None], after: int) -> list[Range]:
    """The ranges between `before` and `after`, both left out, that have none of the ids, which are sorted."""
    bounds = [before, *(one for one in ids if before < one < after), after]
    return [(one + 1, following - 1) for one, following in pairwise(bounds) if following - one > 1]


def _settle(row: FollowedEvents, snapshot: Snapshot) -> None:
    """After what was missing was looked for by a later snapshot than this one."""
    if row.mark_id is None:
        if row.read_id > row.settled_id:
            row.mark_id, row.marked_at, row.mark_end = row.read_id, snapshot.at, None
    elif row.mark_end is None:
        if row.marked_at is None or snapshot.at - row.marked_at >= _NUMBERED_WITHIN:
            row.mark_end = snapshot.end
    elif snapshot.begin >= row.mark_end:
        row.settled_id, row.mark_id, row.mark_end = row.mark_id, None, None


def _told(row: FollowedEvents) -> tuple[object, ...]:
    return row.settled_id, row.read_id, row.mark_id, row.marked_at, row.mark_end


def _locked_row() -> FollowedEvents | None:
    """The row, locked; None where another process has it."""
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
    """The payment of each event, by the event's id, in their order."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return dict(cursor.fetchall())
