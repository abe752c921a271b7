"""`make logs`: follow the logs of the running FicPay, or show the last lines if it is not running."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from dev import environment as environments
from dev.environment import Environment, SettingInvalid
from dev.instance import Instance

_LAST_LINES = "20"


def main() -> None:
    try:
        environment = environments.read(os.environ)
    except SettingInvalid as invalid:
        sys.exit(str(invalid))
    if Instance(environment.directory).is_up():
        _tail("-F", *_running(environment))
    written = sorted(environment.logs.glob("*.log"))
    if not written:
        sys.exit("No logs yet: `make up` writes them.")
    at = max(_written_at(log) for log in written)
    print(f"FicPay is not running. Its logs were last written at {at:%Y-%m-%d %H:%M:%S} UTC:", flush=True)
    _tail("-v", *map(str, written))


def _running(environment: Environment) -> list[str]:
    """The logs of the programs that run now. The directory may also have older ones of other programs."""
    names = list(Instance(environment.directory).pids())
    if environment.postgres().running():
        names.append("postgres")
    logs = [environment.logs / f"{name}.log" for name in names]
    found = [str(log) for log in logs if log.exists()]
    return found or sys.exit("FicPay is starting and has no logs yet. Try again in a moment.")


def _written_at(log: Path) -> datetime:
    return datetime.fromtimestamp(log.stat().st_mtime, UTC)


def _tail(*arguments: str) -> NoReturn:
    os.execvp("tail", ["tail", "-n", _LAST_LINES, *arguments])  # noqa: S606, S607 (Ctrl-C is for tail alone)


if __name__ == "__main__":
    main()
