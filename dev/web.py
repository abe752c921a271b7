"""The web server of `make up`: granian's command line, with a fix for one bug.

A forked worker keeps its parent's signal handler until it has loaded the application. During that second it
ignores SIGTERM and runs until it is killed, so Ctrl-C soon after the start takes a minute. At that time it
has no requests, so with the fix it simply ends.
"""

import os
import signal
import sys

from granian.cli import entrypoint

from dev.supervisor import STOP_SECONDS


def command(port: int, application: str = "ficpay.asgi:application", workers: int = 2) -> list[str]:
    """The command that starts it. Each worker has FICPAY_REQUEST_THREADS threads."""
    return [
        *(sys.executable, "-m", "dev.web", application, "--interface", "asginl", "--no-ws"),
        *("--host", "127.0.0.1", "--port", str(port), "--no-access-log"),
        *("--workers", str(workers), "--respawn-failed-workers"),
        # The connections that a worker accepts, including idle and slow ones, which hold no thread.
        *("--backpressure", "512"),
        *("--http2-max-headers-size", "65536"),  # instead of 16 MB
        # A stopping worker accepts no connections and ends after its requests and bank calls, at the latest
        # now:
        *("--workers-kill-timeout", str(STOP_SECONDS - 5)),
    ]


def main() -> None:
    os.register_at_fork(after_in_child=_forget_parents_handler)
    entrypoint()  # type: ignore[no-untyped-call]


def _forget_parents_handler() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


if __name__ == "__main__":
    main()
