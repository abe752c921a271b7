"""The bank's record of the requests it received, and the line it logs for each.

It never contains a card number, a CVV or a body. A path is recorded only if it matches a known one.
"""

import asyncio
import logging
import re
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

log = logging.getLogger("bank")

KNOWN_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
KEPT = 100_000
"""Enough for a day of load tests. Without a limit, a bank left running would use ever more memory."""


@dataclass(eq=False)
class Visit:
    """One request as the bank saw it.

    `status` is None if the request got no answer; `ended` then says who closed the connection.
    `overlapped`: at some moment, another request with the same key and path was in flight, too.
    """

    method: str
    path: str
    idempotency_key: str | None
    received_at_ns: int
    status: int | None = None
    ended: str | None = None
    replayed: bool = False
    overlapped: bool = False


class Journal:
    """All visits, oldest first, including those in flight. They are kept in memory: a restart forgets them.

    `max_in_flight` is per idempotency key, `most_at_once` per path, whatever the keys.
    """

    def __init__(self, known_path: re.Pattern[str]) -> None:
        self._known_path = known_path
        self.visits: deque[Visit] = deque(maxlen=KEPT)
        self.max_in_flight: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()
        self._at_once: Counter[str] = Counter()
        self._in_flight: dict[tuple[str, str], list[Visit]] = {}

    def forget(self) -> None:
        """Forget all visits. Requests in flight continue, but are no longer listed."""
        self.visits.clear()
        self.max_in_flight.clear()
        self.most_at_once.clear()

    @contextmanager
    def visit(self, method: str, path: str, key: str | None, received_at_ns: int) -> Iterator[Visit]:
        """Record a request from its arrival until the bank has finished with it, answered or not."""
        shown = path if self._known_path.fullmatch(path) else "(unknown path)"
        visit = Visit(_known_method(method), shown, key, received_at_ns)
        began = time.monotonic()
        self.visits.append(visit)
        self._enter(visit)
        try:
            yield visit
            visit.ended = visit.ended or "answered"
        except (asyncio.CancelledError, ConnectionError):
            visit.ended = "caller hung up"
            raise
        finally:
            self._leave(visit)
            said = visit.status or visit.ended
            again = " (stored answer)" if visit.replayed else ""
            log.info(
                "%s %s %s%s %d ms", visit.method, visit.path, said, again, (time.monotonic() - began) * 1000
            )

    def _enter(self, visit: Visit) -> None:
        self._at_once[visit.path] += 1
        self.most_at_once[visit.path] = max(self.most_at_once[visit.path], self._at_once[visit.path])
        if visit.idempotency_key is None:
            return
        together = self._in_flight.setdefault((visit.path, visit.idempotency_key), [])
        together.append(visit)
        if len(together) > 1:
            for one in together:
                one.overlapped = True
        key = visit.idempotency_key
        self.max_in_flight[key] = max(self.max_in_flight[key], len(together))

    def _leave(self, visit: Visit) -> None:
        self._at_once[visit.path] -= 1
        if visit.idempotency_key is None:
            return
        together = self._in_flight[visit.path, visit.idempotency_key]
        together.remove(visit)
        if not together:
            del self._in_flight[visit.path, visit.idempotency_key]


def _known_method(method: str) -> str:
    return method if method in KNOWN_METHODS else "(unknown method)"
