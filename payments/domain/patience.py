"""How long this thread waits for a database that says nothing, where that differs from the usual bound."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_longest: ContextVar[float | None] = ContextVar("longest_silence", default=None)
_EVER = float("inf")


def longest_silence(usual: float) -> float | None:
    """Seconds after which a connection whose server says nothing is given up; None: never."""
    seconds = _longest.get()
    if seconds is None:
        return usual
    return None if seconds == _EVER else seconds


@contextmanager
def hurried(seconds: float) -> Iterator[None]:
    """Hang up on the database where it has not answered within so many seconds."""
    token = _longest.set(seconds)
    try:
        yield
    finally:
        _longest.reset(token)


@contextmanager
def patient() -> Iterator[None]:
    """Wait for the database for as long as it takes."""
    with hurried(_EVER):
        yield
