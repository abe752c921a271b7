"""How long this thread waits for a silent database, where that differs from the usual bound."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_longest: ContextVar[float | None] = ContextVar("longest_silence", default=None)
_EVER = float("inf")


def longest_silence(usual: float) -> float | None:
    """Seconds after which a connection to a silent server is given up; None: never."""
    seconds = _longest.get()
    if seconds is None:
        return usual
    return None if seconds == _EVER else seconds


@contextmanager
def hurried(seconds: float) -> Iterator[None]:
    """Hang up on a database that has not answered within `seconds`."""
    token = _longest.set(seconds)
    try:
        yield
    finally:
        _longest.reset(token)


@contextmanager
def patient() -> Iterator[None]:
    """Wait for the database without limit."""
    with hurried(_EVER):
        yield
