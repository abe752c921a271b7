"""Programs under the supervisor, with real processes."""

import os
import signal
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev import supervisor as supervisors
from dev.instance import Instance
from dev.supervisor import Program, ProgramEnded, Supervisor
from tests.operations.dev.running import is_running, wait_until_gone

# Says when it is there and when it is told to end, and takes a while to do so.
POLITE = """
    import signal, sys, time
    def end(*_):
        print("ending", flush=True)
        time.sleep(0.3)
        print("ended", flush=True)
        sys.exit()
    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    while True:
        time.sleep(10)
"""
STUBBORN = """
    import signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ready", flush=True)
    time.sleep(99)
"""
# Like a server whose workers outlive it when it is killed.
PARENT = """
    import subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"])
    print("child", child.pid, flush=True)
    time.sleep(99)
"""


def program(name: str, script: str, stage: int = 0) -> Program:
    return Program(name, [sys.executable, "-c", textwrap.dedent(script)], dict(os.environ), stage=stage)


def wait_for(log: Path, word: str) -> str:
    for _ in range(1200):
        if log.exists() and word in log.read_text():
            return log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"{log.name} never said {word}")


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance(tmp_path)


@pytest.fixture
def supervisor(instance: Instance, tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(instance, tmp_path / "log", tmp_path)
    yield supervisor
    supervisor.stop(lambda _names: None)


class TestSupervisor:
    def test_ends_stage_by_stage(
        self, supervisor: Supervisor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        supervisor.start(
            [program("bank", POLITE, stage=1), program("web", POLITE), program("worker", POLITE)]
        )
        for name in ("bank", "web", "worker"):
            wait_for(tmp_path / "log" / f"{name}.log", "ready")
        stages: list[str] = []
        supervisor.stop(stages.append)
        assert stages == ["web and worker", "bank"]
        said = capsys.readouterr().out.splitlines()
        first_end_of_bank = said.index("bank   | ending")
        assert said.index("web    | ended") < first_end_of_bank
        assert said.index("worker | ended") < first_end_of_bank

    def test_starts_more_programs_than_it_has_colours(
        self, supervisor: Supervisor, instance: Instance
    ) -> None:
        names = [f"program {number}" for number in range(len(supervisors.COLOURS) + 1)]
        supervisor.start([program(name, "import time; time.sleep(99)") for name in names])
        assert list(instance.pids()) == names

    def test_says_which_program_ended_and_how(self, supervisor: Supervisor) -> None:
        supervisor.start([program("web", POLITE), program("worker", "import sys; sys.exit(3)")])
        with pytest.raises(
            ProgramEnded, match=r"^worker ended with status 3: see above, or .*/log/worker\.log$"
        ):
            supervisor.watch(60)

    def test_says_by_which_signal(self, supervisor: Supervisor, instance: Instance, tmp_path: Path) -> None:
        supervisor.start([program("web", POLITE)])
        pids = instance.pids()
        wait_for(tmp_path / "log" / "web.log", "ready")
        os.kill(pids["web"], signal.SIGKILL)
        with pytest.raises(ProgramEnded, match=r"^web was ended by SIGKILL"):
            supervisor.watch(60)

    def test_ends_what_a_killed_program_left_behind(
        self, supervisor: Supervisor, instance: Instance, tmp_path: Path
    ) -> None:
        supervisor.start([program("web", PARENT)])
        pids = instance.pids()
        child = int(wait_for(tmp_path / "log" / "web.log", "\n").split()[1])
        os.kill(pids["web"], signal.SIGKILL)
        with pytest.raises(ProgramEnded):
            supervisor.watch(60)
        supervisor.stop(lambda _names: None)
        assert wait_until_gone(child, 60)

    def test_kills_what_does_not_end_in_time(
        self, supervisor: Supervisor, instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(supervisors, "STOP_SECONDS", 0.5)
        supervisor.start([program("web", STUBBORN)])
        pids = instance.pids()
        wait_for(tmp_path / "log" / "web.log", "ready")
        supervisor.stop(lambda _names: None)
        assert not is_running(pids["web"])

    def test_keeps_the_last_run_s_log_only(self, supervisor: Supervisor, tmp_path: Path) -> None:
        log = tmp_path / "log" / "web.log"
        log.parent.mkdir()
        log.write_text("of the run before\n" * 1000)
        supervisor.start([program("web", POLITE)])
        assert wait_for(log, "ready") == "ready\n"
