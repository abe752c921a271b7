"""The web server of `make up`: granian's own command line, with one fault mended and one warning left out.

A worker is forked with its parent's signal handler in place and replaces it when it has loaded the
application. A SIGTERM in that second is swallowed: the worker then serves on until it is killed, and a
Ctrl-C soon after the start takes a minute. It has no request yet that could be lost, so it may just end.
"""

import logging
import os
import signal
import sys

from granian.cli import entrypoint

from dev.supervisor import STOP_SECONDS


def command(port: int) -> list[str]:
    """How to start it: two workers of 64 threads, which wait for the bank most of the time."""
    return [
        *(sys.executable, "-m", "dev.web", "ficpay.wsgi:application", "--interface", "wsgi", "--no-ws"),
        *("--host", "127.0.0.1", "--port", str(port), "--no-access-log"),
        *("--workers", "2", "--respawn-failed-workers", "--blocking-threads", "64"),
        # Connections a worker accepts, idle ones included: as few as threads, and 64 idle clients of a
        # keep-alive pool would lock everybody else out.
        *("--backpressure", "512"),
        # It stops accepting at once and ends when its requests and bank calls have; this is the limit.
        *("--workers-kill-timeout", str(STOP_SECONDS - 5)),
    ]


def main() -> None:
    os.register_at_fork(after_in_child=_forget_parents_handler)
    logging.getLogger("_granian").addFilter(_is_no_warning_about_threads)
    entrypoint()  # type: ignore[no-untyped-call]


def _forget_parents_handler() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _is_no_warning_about_threads(record: logging.LogRecord) -> bool:
    """It fears for the cores. Ours are many on purpose, and `command` says why."""
    return "Python threads" not in record.getMessage()


if __name__ == "__main__":
    main()
