"""What runs of FicPay under one FICPAY_VAR, so that others can find it, and stop what a crash left.

`make up` holds a lock for as long as it lives, which the kernel releases however it dies. Beside it
lies a record of its processes, each with an identity that no later process of that pid can have.
"""

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dev import processes

# `make up` itself, in the record.
SUPERVISOR = "make up"


class AlreadyRunning(Exception):
    """Another `make up` holds the lock of this directory."""


class Instance:
    """The running FicPay of one directory, seen from any process."""

    def __init__(self, directory: Path) -> None:
        self._lock = directory / "up.lock"
        self._record = directory / "up.json"

    def is_up(self) -> bool:
        """Whether a `make up` is alive here. What a killed one left behind does not count."""
        try:
            with self._lock.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Be the `make up` of this directory. Raises AlreadyRunning."""
        self._lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock.open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning from None
            yield

    def record(self, pids: dict[str, int]) -> None:
        """Note which processes run, by their names."""
        new = self._record.with_suffix(".new")
        new.write_text(json.dumps({name: [pid, processes.identity(pid)] for name, pid in pids.items()}))
        new.replace(self._record)

    def forget(self) -> None:
        self._record.unlink(missing_ok=True)

    def pids(self) -> dict[str, int]:
        """The recorded processes that still run. A stranger who has got the pid since is not among them."""
        try:
            record = json.loads(self._record.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        alive = {name: pid for name, (pid, identity) in record.items() if processes.identity(pid) == identity}
        return {name: pid for name, pid in alive.items() if processes.is_running(pid)}


def terminate(pids: list[int], seconds: float) -> None:
    """Ask processes that lead groups of their own to end, and end what is left of the groups after that."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    for pid in pids:
        processes.wait_until_gone(pid, deadline - time.monotonic())
        kill_group(pid)


def kill_group(leader: int) -> None:
    """End what is left of a process group: a server that was killed leaves its workers behind."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
