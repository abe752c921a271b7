"""What a run took place on: figures of two runs may be compared only where this is the same."""

import os
import platform
import subprocess
import sys
import sysconfig
from datetime import UTC, datetime
from pathlib import Path

from django.db import connection

from tests.benchmarks.gateway import options
from tests.support.gateway_server import PROJECT


def conditions() -> dict[str, str]:
    """The machine, the versions and the options, in words."""
    return {
        "When": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "Commit": _commit(),
        "Machine": f"{os.cpu_count()} cores ({_processor()}), {_memory_gib()} GiB",
        "Load before": f"{os.getloadavg()[0]:.1f}",
        "Python": interpreter(),
        "PostgreSQL": _postgres(),
        "Rounds": f"{options.ROUNDS} of {options.SECONDS:g} s",
    }


def interpreter() -> str:
    """The one that runs the gateway, the bank and the clients.

    Its configuration may name the optimization. Debian's does not, and its build is optimized all the same.
    """
    configured = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimized = "--enable-optimizations, " if "--enable-optimizations" in configured else ""
    version, compiler = platform.python_version(), platform.python_compiler()
    return f"{version} ({optimized}{compiler}) at {Path(sys.executable).resolve()}"


def _commit() -> str:
    """With a plus where files have changed since."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown")


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3)


def _postgres() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), current_setting('shared_buffers')")
        version, buffers = cursor.fetchone()
    return f"{version}, fsync on, shared_buffers {buffers}"
