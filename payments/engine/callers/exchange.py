"""The thread that reports to the database what a web process counts in memory: requests, and uses of keys."""

import threading
import time

import structlog
from django.db import DatabaseError, InterfaceError, connection

from payments.engine.callers import rates, uses

log = structlog.get_logger("payments.exchange")
_EVERY = 1.0  # seconds


def start() -> None:
    """Start the thread in this process, once: in one that serves requests."""
    threading.Thread(target=_run, name="exchange", daemon=True).start()


def _run() -> None:
    succeeded = True
    while True:
        rates.is_urgent.wait(_EVERY)
        before, succeeded = succeeded, exchange()
        connection.close()  # back to the pool
        if before and not succeeded:  # once for each outage
            log.warning("counts_not_exchanged")
        if not succeeded:
            time.sleep(_EVERY)  # also if a report is urgent


def exchange() -> bool:
    """Exchange once; whether it succeeded. Never raises: nothing would start the thread again."""
    try:
        rates.exchange()
        uses.write()
    except (DatabaseError, InterfaceError):
        return False
    except Exception:
        log.exception("exchange_failed")
        return False
    return True
