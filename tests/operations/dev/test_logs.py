"""`make logs`: what a running FicPay writes now, and never old lines as if they were new."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from dev.instance import Instance, note
from tests.operations.dev.running import MAKE, PROJECT, environment, make

NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def write(var: Path, name: str, line: str) -> Path:
    log = var / "log" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(f"{line}\n")
    return log


@contextmanager
def following(var: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [MAKE, "-s", "logs"], cwd=PROJECT, env=environment(var), text=True, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


class TestWhileNothingRuns:
    def test_the_last_lines_are_shown_with_their_time_and_not_followed(self, tmp_path: Path) -> None:
        for name, age in (("bank", 3600), ("web", 0)):
            at = NOON.timestamp() - age
            os.utime(write(tmp_path, name, f"{name} said this"), (at, at))
        done = make("logs", environment(tmp_path))
        assert done.returncode == 0, done.stderr
        first, *rest = done.stdout.splitlines()
        assert first == "FicPay is not running. Its logs were last written at 2026-11-28 12:00:00 UTC:"
        assert {"bank said this", "web said this"} <= set(rest)

    def test_without_logs_it_says_how_to_get_some(self, tmp_path: Path) -> None:
        done = make("logs", environment(tmp_path))
        assert done.returncode != 0
        assert done.stderr.startswith("No logs yet: `make up` writes them.")


class TestWhileFicPayRuns:
    def test_the_logs_of_what_runs_are_followed_and_no_older_ones_shown(self, tmp_path: Path) -> None:
        log = write(tmp_path, "web", "web says this")
        write(tmp_path, "bank", "an earlier bank said this")
        instance = Instance(tmp_path)
        with instance.claim(), instance.held("web") as file:
            note(file, os.getpid())
            with following(tmp_path) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == "web says this\n"
                with log.open("a") as more:
                    more.write("and now this\n")
                assert process.stdout.readline() == "and now this\n"

    def test_before_the_first_log_it_says_so(self, tmp_path: Path) -> None:
        write(tmp_path, "bank", "an earlier bank said this")
        with Instance(tmp_path).claim():
            done = make("logs", environment(tmp_path))
        assert done.returncode != 0
        assert "is starting" in done.stderr
        assert "earlier" not in done.stdout
