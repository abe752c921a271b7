"""Where the control plane can hold requests, so that races and hang-ups happen on purpose."""

import asyncio
from enum import StrEnum


class Point(StrEnum):
    """The two moments of a request that decide what the bank's promises are worth.

    EXECUTION: the key was looked up and not found, nothing has been done. Requests with one key that meet
    here are all executed; one whose caller hangs up here leaves nothing.
    STORING: the entry is committed, its answer is not stored. A caller who hangs up here leaves a hold
    that no replay will ever show.
    """

    EXECUTION = "execution"
    STORING = "storing"


class Latch:
    """Holds requests at a point until released. Open unless asked to hold."""

    def __init__(self) -> None:
        self._closed: set[tuple[Point, str]] = set()
        self._opened = asyncio.Event()
        self.waiting = 0

    def close(self, point: Point, endpoints: list[str]) -> None:
        self._closed |= {(point, endpoint) for endpoint in endpoints}

    def release(self) -> None:
        """Let everyone go on, those who hang by a plan included, and hold no one from now on."""
        self._closed.clear()
        self._opened.set()
        self._opened = asyncio.Event()

    async def pass_point(self, point: Point, endpoint: str) -> None:
        if (point, endpoint) in self._closed:
            await self.hang(None)

    async def hang(self, seconds: float | None) -> None:
        """Wait until released, or for so long at most."""
        self.waiting += 1
        try:
            async with asyncio.timeout(seconds):
                await self._opened.wait()
        except TimeoutError:
            pass
        finally:
            self.waiting -= 1
