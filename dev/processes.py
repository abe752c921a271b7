"""Is a process still there, and is it ours? Pids are reused, and zombies answer `kill(pid, 0)`."""

import os
import subprocess
import time
from pathlib import Path

PROC = Path("/proc")


def is_running(pid: int) -> bool:
    """True unless the process is gone or only its entry in the process table is left (a zombie)."""
    return _state(pid) not in {"", "Z", "X"}


def command_line(pid: int) -> list[str]:
    """The arguments the process was started with; empty when it is gone or a zombie."""
    if PROC.joinpath("self").exists():
        try:
            return PROC.joinpath(str(pid), "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        except OSError:
            return []
    return _ps(pid, "command").split()


def identity(pid: int) -> str:
    """When the process started: with the pid that names it for good. Empty when there is none."""
    if PROC.joinpath("self").exists():
        fields = _stat(pid)
        boot = PROC.joinpath("sys/kernel/random/boot_id").read_text().strip()
        return f"{fields[19]} ticks after boot {boot}" if fields else ""
    return _ps(pid, "lstart")


def wait_until_gone(pid: int, seconds: float) -> bool:
    """Wait for a process that need not be our child. False: it is still there."""
    deadline = time.monotonic() + seconds
    while is_running(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _state(pid: int) -> str:
    if PROC.joinpath("self").exists():
        fields = _stat(pid)
        return fields[0] if fields else ""
    return _ps(pid, "state")[:1]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on. The name before them may hold spaces and brackets."""
    try:
        return PROC.joinpath(str(pid), "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _ps(pid: int, field: str) -> str:
    """Where there is no /proc (macOS)."""
    ps = ["ps", "-o", f"{field}=", "-p", str(pid)]
    return subprocess.run(
        ps, capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"}
    ).stdout.strip()
