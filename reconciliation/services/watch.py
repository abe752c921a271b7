"""Recovery as a process: every second it looks for operations that are due, and works on several at once."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from django.db import close_old_connections, connection

from payments.engine.leases import boot_clock
from payments.models.guards import database_is_away
from payments.usecases import heartbeats, recovery

log = structlog.get_logger("reconciliation.watch")
_EVERY = 1.0  # seconds to wait after a look that found nothing
_HEARTBEAT_EVERY = 15.0


@dataclass
class Progress:
    """Counts finished looks. Heartbeats depend on them, so a process that is stuck has none."""

    looks: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def made(self) -> None:
        with self._lock:
            self.looks += 1


def watch(stop: threading.Event, *, threads: int) -> None:
    """Do what is due until told to stop, then finish what is in flight (45 s at most)."""
    work, progress = threading.Event(), Progress()
    helpers = [threading.Thread(target=_help, args=(stop, work, progress)) for _ in range(threads - 1)]
    beating = threading.Thread(target=_beat, args=(stop, progress))
    for thread in (*helpers, beating):
        thread.start()
    log.info("recovery_watches", threads=threads)
    while not stop.is_set():
        if _look(progress):
            work.set()  # if one operation was due, there may be more
        else:
            stop.wait(_EVERY)
    work.set()
    for thread in (*helpers, beating):
        thread.join()
    connection.close()


def _help(stop: threading.Event, work: threading.Event, progress: Progress) -> None:
    while not stop.is_set():
        if work.wait(_EVERY) and not _look(progress):
            work.clear()
    connection.close()


def _look(progress: Progress) -> bool:
    def look() -> bool:
        found = recovery.recover_next()
        progress.made()
        return found

    return _guarded(look)


def _beat(stop: threading.Event, progress: Progress) -> None:
    """Send a heartbeat if a look has finished since the last one."""
    told, beaten_at = 0, float("-inf")
    while not stop.wait(_EVERY):
        looks = progress.looks
        is_due = looks > told and boot_clock() - beaten_at >= _HEARTBEAT_EVERY
        if is_due and _guarded(lambda: heartbeats.beat_recovery(recovery.passed_over())):
            told, beaten_at = looks, boot_clock()
    connection.close()


def _guarded(look: Callable[[], bool]) -> bool:
    """The result of `look`, or False if it raised. Then the caller waits and tries again.

    No error ends a thread: otherwise the heartbeat could go on while other threads have stopped working.
    """
    close_old_connections()
    try:
        return look()
    except Exception as error:
        connection.close()
        if database_is_away(error):
            log.warning("database_away", error=type(error).__name__)
        else:
            log.exception("look_failed")
        return False
