"""The first `make` on a machine that lacks something."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.project import PROJECT

NEEDED = ("sh", "make", "rm", "touch")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The project without its virtual environment, on a machine without Python."""
    clone = tmp_path / "a fresh clone"
    (clone / "dev").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    for name in ("Makefile", "dev/install.sh", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(PROJECT / name, clone / name)
    for name in NEEDED:
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    return clone


def make(clone: Path, *arguments: str) -> str:
    """Run make, which must fail. Returns what it says."""
    environment = {"PATH": str(clone.parent / "bin")}
    done = subprocess.run(
        [str(shutil.which("make")), *arguments],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert not (clone / ".venv").exists()
    return done.stderr


def install_python(clone: Path, name: str, script: str) -> None:
    python = clone.parent / "bin" / name
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)


class TestFirstMake:
    def test_without_python_says_what_to_install(self, clone: Path) -> None:
        assert "FicPay needs Python 3.11 or newer, and none was found." in make(clone, "up")

    def test_is_not_fooled_by_a_version_manager_s_shim(self, clone: Path) -> None:
        install_python(clone, "python3.12", "echo 'python3.12: command not found' >&2; exit 127")
        assert "none was found" in make(clone, "up")

    def test_refuses_a_python_of_one_s_own_choice_that_is_none(self, clone: Path) -> None:
        assert "PYTHON=/no/python is not a working Python 3.11 or newer" in make(
            clone, "up", "PYTHON=/no/python"
        )

    def test_names_the_package_that_debian_leaves_out(self, clone: Path) -> None:
        script = 'case "$2" in *ensurepip*) exit 1;; *print*) echo 3.13;; esac'
        install_python(clone, "python3.13", script)
        assert "apt install python3.13-venv" in make(clone, "up")


class TestHelp:
    def test_lists_every_command(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        listed = subprocess.run(
            [str(shutil.which("make"))],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        (declared,) = [
            line.split()[1:]
            for line in (PROJECT / "Makefile").read_text().splitlines()
            if line.startswith(".PHONY:")
        ]
        assert [name for name in declared if f"  make {name} " not in listed] == []
