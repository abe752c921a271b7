"""Runs the programs of `make up` in the foreground: shows their logs in one terminal and stops them in order.

honcho would stop all programs at once and kill them 5 s later. A web server that is waiting for the bank
needs more time, and the bank must keep running until it has replied.
"""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from dev.instance import Instance, kill_group, note
from payments.domain.timing import Timing

# A bank call that has just begun is finished and recorded before its process ends. 10 s more to shut down.
STOP_SECONDS = math.ceil(Timing().start_window + Timing().lease) + 10
COLOURS = ("36", "32", "35", "33")


class ProgramEnded(Exception):
    """A program ended by itself. The message says which and how."""


@dataclass(frozen=True)
class Program:
    """A command to run. Programs of stage 0 are stopped first, then those of stage 1."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    stage: int = 0


_terminal = threading.Lock()


def say(text: str) -> None:
    """Print a line. A closed terminal must not prevent an orderly shutdown."""
    with _terminal, suppress(OSError):
        print(text, flush=True)


def paint(text: str, colour: str) -> str:
    """The text in an ANSI colour, if the output is a terminal."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return f"\033[{colour}m{text}\033[0m" if coloured else text


class Supervisor:
    """Starts programs, copies their output to the terminal and to `logs`, and stops them."""

    def __init__(self, instance: Instance, logs: Path, directory: Path) -> None:
        self._instance = instance
        self._logs = logs
        self._directory = directory
        self._width = 0
        self._started: list[tuple[Program, subprocess.Popen[str], threading.Thread]] = []

    def start(self, programs: Sequence[Program]) -> None:
        """Start all programs, each in its own session, so that Ctrl-C reaches only us."""
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._width = max(len(program.name) for program in programs)
        for program, colour in zip(programs, cycle(COLOURS), strict=False):
            with self._instance.held(program.name) as file:
                process = subprocess.Popen(
                    program.command, env=dict(program.environment), cwd=self._directory,
                    start_new_session=True, pass_fds=[file.fileno()],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    text=True, encoding="utf-8", errors="replace",
                )  # fmt: skip
                note(file, process.pid)
            relay = threading.Thread(target=self._relay, args=(program, process, colour), daemon=True)
            self._started.append((program, process, relay))
            relay.start()

    def watch(self, seconds: float) -> None:
        """Wait for `seconds`. Raises ProgramEnded as soon as a program ends."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for program, process, relay in self._started:
                if (status := process.poll()) is not None:
                    relay.join(1)  # for its last output; processes that it left behind may keep writing
                    raise ProgramEnded(
                        f"{program.name} {_ending(status)}: see above, or {self._logs / program.name}.log"
                    )
            time.sleep(0.1)

    def stop(self, announce: Callable[[str], None]) -> None:
        """Stop all programs, stage by stage, and give each time to finish its work."""
        for stage in sorted({program.stage for program, _, _ in self._started}):
            ending = [entry for entry in self._started if entry[0].stage == stage]
            announce(" and ".join(program.name for program, _, _ in ending))
            for _, process, _ in ending:
                process.terminate()
            deadline = time.monotonic() + STOP_SECONDS
            for program, process, relay in ending:
                try:
                    process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    say(f"{program.name} did not end within {STOP_SECONDS} s and was killed.")
                    process.kill()
                    process.wait()
                kill_group(process.pid)
                relay.join()

    def _relay(self, program: Program, process: "subprocess.Popen[str]", colour: str) -> None:
        """Copy the output until the program and all processes that it started have closed it."""
        assert process.stdout is not None  # noqa: S101 (a pipe was asked for)
        log = (self._logs / f"{program.name}.log").open("w", encoding="utf-8", buffering=1)
        with log, process.stdout:
            for line in process.stdout:
                log.write(line)
                say(paint(f"{program.name:<{self._width}} | ", colour) + line.rstrip("\n"))


def _ending(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
