"""What CI runs, with every command it needs replaced by a word of the test's choice."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.project import PROJECT

SUMMARY = "== 1 passed in 0.01s =="


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    clone = tmp_path / "clone"
    (clone / ".ci").mkdir(parents=True)
    shutil.copy(PROJECT / ".ci" / "run", clone / ".ci" / "run")
    (tmp_path / "bin").mkdir()
    for name in ("dirname", "tail"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    return clone


def run(clone: Path, *, check: str = "true", test: str = "true", browser: str = "true") -> tuple[int, str]:
    commands = {
        "make": f'case "$*" in *check) {check};; *test) echo "{SUMMARY}"; {test};; esac',
        "apt-get": f'echo "apt-get $*"; {browser}',
    }
    for name, script in commands.items():
        command = clone.parent / "bin" / name
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
    done = subprocess.run(
        [str(shutil.which("bash")), ".ci/run"], cwd=clone, env={"PATH": str(clone.parent / "bin")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


class TestRun:
    def test_passes_when_both_pass_and_ends_in_the_tests_summary(self, clone: Path) -> None:
        status, said = run(clone)
        assert status == 0
        assert said.splitlines()[-1] == SUMMARY

    def test_fails_when_only_the_checks_fail_and_runs_the_tests_all_the_same(self, clone: Path) -> None:
        status, said = run(clone, check="exit 2")
        assert status != 0
        assert "make check has failed" in said
        assert said.splitlines()[-1] == SUMMARY

    def test_fails_when_only_the_tests_fail(self, clone: Path) -> None:
        status, _ = run(clone, test="exit 2")
        assert status != 0

    def test_goes_on_without_a_browser(self, clone: Path) -> None:
        status, said = run(clone, browser="exit 100")
        assert status == 0
        assert "Chromium could not be installed" in said
