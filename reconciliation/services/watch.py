"""Recovery as a process of its own: looks every second, and works on several doubts at once."""

import threading
from collections.abc import Callable

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from payments.services import heartbeats, recovery

log = structlog.get_logger("reconciliation.watch")
_EVERY = 1.0  # seconds between looks, where the last one found nothing
_HEARTBEAT_EVERY = 15.0


def watch(stop: threading.Event, *, threads: int) -> None:
    """Do what is due until told to stop; what is in flight then is finished first (45 s at most)."""
    work = threading.Event()
    helpers = [threading.Thread(target=_help, args=(stop, work)) for _ in range(threads - 1)]
    beating = threading.Thread(target=_beat, args=(stop,))
    for thread in (*helpers, beating):
        thread.start()
    log.info("recovery_watches", threads=threads)
    while not stop.is_set():
        if _guarded(recovery.recover_next):
            work.set()  # where one thing was due there may be more
        else:
            stop.wait(_EVERY)
    work.set()
    for thread in (*helpers, beating):
        thread.join()
    connection.close()


def _help(stop: threading.Event, work: threading.Event) -> None:
    while not stop.is_set():
        if work.wait(_EVERY) and not _guarded(recovery.recover_next):
            work.clear()
    connection.close()


def _beat(stop: threading.Event) -> None:
    while not stop.is_set():
        _guarded(heartbeats.beat_recovery)
        stop.wait(_HEARTBEAT_EVERY)
    connection.close()


def _guarded(look: Callable[[], bool]) -> bool:
    """What it says, or False where it could not look: then there is nothing to be done but to wait.

    Nothing ends the watch but being told to: a heart that beats must not hide that nobody is at work.
    """
    close_old_connections()
    try:
        return look()
    except (DatabaseError, InterfaceError) as error:
        log.warning("database_away", error=type(error).__name__)
        connection.close()
        return False
    except Exception:
        log.exception("look_failed")
        return False
