"""The web server of `make up`: granian's own command line, with one fault mended.

A worker is forked with its parent's signal handler in place and replaces it when it has loaded the
application. A SIGTERM in that second is swallowed: the worker then serves on until it is killed, and a
Ctrl-C soon after the start takes a minute. It has no request yet that could be lost, so it may just end.
"""

import os
import signal
import sys

from granian.cli import entrypoint

from dev.supervisor import STOP_SECONDS


def command(port: int, application: str = "ficpay.asgi:application", workers: int = 2) -> list[str]:
    """How to start it. Each worker has FICPAY_REQUEST_THREADS threads of its own."""
    return [
        *(sys.executable, "-m", "dev.web", application, "--interface", "asginl", "--no-ws"),
        *("--host", "127.0.0.1", "--port", str(port), "--no-access-log"),
        *("--workers", str(workers), "--respawn-failed-workers"),
        # Connections a worker accepts, idle and slow ones included; they hold no thread.
        *("--backpressure", "512"),
        *("--http2-max-headers-size", "65536"),  # instead of 16 MB
        # It stops accepting at once and ends when its requests and bank calls have; this is the limit.
        *("--workers-kill-timeout", str(STOP_SECONDS - 5)),
    ]


def main() -> None:
    os.register_at_fork(after_in_child=_forget_parents_handler)
    entrypoint()  # type: ignore[no-untyped-call]


def _forget_parents_handler() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


if __name__ == "__main__":
    main()
