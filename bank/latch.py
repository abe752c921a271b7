"""Holds requests for the control plane, so that tests can cause races and hang-ups on purpose."""

import asyncio
from enum import StrEnum


class Point(StrEnum):
    """The two moments of a request at which races and hang-ups show the bank's quirks.

    EXECUTION: the key was looked up and not found, and nothing has been done yet. Requests with the same key
    that are here together are all executed. If the caller hangs up here, nothing is executed. STORING: the
    entry is committed, but its answer is not stored yet. If the caller hangs up here, a hold remains that no
    replay will ever show.
    """

    EXECUTION = "execution"
    STORING = "storing"


class Latch:
    """Holds requests at a point until they are released. By default it holds none."""

    def __init__(self) -> None:
        self._closed: set[tuple[Point, str]] = set()
        self._opened = asyncio.Event()
        self.waiting = 0

    def close(self, point: Point, endpoints: list[str]) -> None:
        self._closed |= {(point, endpoint) for endpoint in endpoints}

    def release(self) -> None:
        """Let all requests continue, also those that hang because of a plan, and hold no more."""
        self._closed.clear()
        self._opened.set()
        self._opened = asyncio.Event()

    async def pass_point(self, point: Point, endpoint: str) -> None:
        if (point, endpoint) in self._closed:
            await self.hang(None)

    async def hang(self, seconds: float | None) -> None:
        """Wait until released, or for at most `seconds`."""
        self.waiting += 1
        try:
            async with asyncio.timeout(seconds):
                await self._opened.wait()
        except TimeoutError:
            pass
        finally:
            self.waiting -= 1
