"""Finds the programs of FicPay that run under one FICPAY_VAR, so that what a crash left can be stopped.

Each program has a file with its pid, and holds its lock together with its child processes. The kernel
releases the lock when the last of them ends, however they die. So neither a zombie nor an unrelated process
with a reused pid is taken for one of ours.
"""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO

# The name of `make up` itself.
SUPERVISOR = "make up"


class AlreadyRunning(Exception):
    """Another process holds the lock."""


@contextmanager
def held(path: Path) -> Iterator[IO[bytes]]:
    """The file, emptied, and locked for as long as any process has it open. Raises AlreadyRunning."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a+b") as file:
        deadline = time.monotonic() + 0.5  # `is_held` in another process locks it for a moment
        while not _lock(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise AlreadyRunning
            time.sleep(0.02)
        file.truncate(0)
        yield file


def is_held(path: Path) -> bool:
    """Whether any process holds its lock."""
    try:
        with path.open("rb") as file:
            return not _lock(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _lock(file: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Instance:
    """The running FicPay of one directory, as any process can see it."""

    def __init__(self, directory: Path) -> None:
        self._files = directory / "run"

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Become the only `make up` of this directory. Raises AlreadyRunning."""
        with self.held(SUPERVISOR) as file:
            note(file, os.getpid())
            yield

    def held(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """The pid file for a program that is about to start and inherits it. `note` writes the pid."""
        return held(self._files / name)

    def pids(self) -> dict[str, int]:
        """The pids of the running programs, by name."""
        files = sorted(self._files.glob("*"))
        return {file.name: int(pid) for file in files if is_held(file) and (pid := file.read_text())}

    def is_up(self) -> bool:
        """Whether a `make up` is running here. What a killed one left behind does not count."""
        return SUPERVISOR in self.pids()

    def terminate(self, pids: dict[str, int], seconds: float) -> None:
        """Ask programs to end, and after `seconds` kill what is left of their process groups."""
        for pid in pids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while pids.keys() & self.pids().keys() and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in pids.values():
            kill_group(pid)


def note(file: IO[bytes], pid: int) -> None:
    file.write(str(pid).encode())
    file.flush()


def kill_group(leader: int) -> None:
    """Kill what is left of a process group: a killed server leaves its workers behind."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
