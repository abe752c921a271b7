"""A PostgreSQL that stands still: it ends nothing by itself, and takes what it is sent."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.settings import POSTGRES


@contextmanager
def stopped() -> Iterator[None]:
    """Every process of the server, as a frozen machine's. The first one stops first, so none is added."""
    postmaster = int((POSTGRES.data / "postmaster.pid").read_text().partition("\n")[0])
    processes = [postmaster]
    try:
        os.kill(postmaster, signal.SIGSTOP)
        listed = subprocess.run(
            ["/usr/bin/env", "ps", "-o", "pid=", "--ppid", str(postmaster)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        processes += map(int, listed.stdout.split())
        for process in processes:
            with suppress(ProcessLookupError):  # one that was about to end
                os.kill(process, signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
