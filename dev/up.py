"""`make up`: installs, sets up and runs all of FicPay in the foreground. Ctrl-C stops everything.

All its files are in $FICPAY_VAR (var/) and are kept for the next time.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain
from types import FrameType
from typing import NoReturn

import requests

from dev import environment as environments
from dev import web, welcome
from dev.environment import PROJECT, Environment, SettingInvalid
from dev.instance import SUPERVISOR, AlreadyRunning, Instance
from dev.postgres import PostgresFailed
from dev.privileges import NoUnprivilegedUser
from dev.supervisor import STOP_SECONDS, Program, ProgramEnded, Supervisor, say

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
READY_SECONDS = 60


class Trouble(Exception):
    """FicPay cannot start. The message says why, and what to do."""


class Ended(BaseException):
    """A signal asked us to stop. A BaseException, so that no handler takes it for a failure."""


def main() -> None:
    try:
        environment = environments.read(os.environ)
        with _ended_by_signals(), Instance(environment.directory).claim():
            _refuse_leftovers(environment)
            _refuse_taken_ports(environment)
            _run(environment)
    except Ended:
        say("FicPay has stopped. Nothing is lost: `make up` starts it again.")
    except AlreadyRunning:
        sys.exit(
            f"FicPay is already running: {environments.running(os.environ).url}\n"
            "Stop it with Ctrl-C in its terminal, or with `make down`."
        )
    except (Trouble, SettingInvalid, ProgramEnded, PostgresFailed, NoUnprivilegedUser) as trouble:
        sys.exit(str(trouble))


def _run(environment: Environment) -> None:
    variables = environments.for_programs(environment.write(), environment)
    with nullcontext() if environment.given_database_url else _database(environment):
        _manage(variables, "Migrating the database", "migrate", "--no-input")
        _manage(variables, "Seeding", "seed", "--credentials", str(environment.credentials))
        supervisor = Supervisor(Instance(environment.directory), environment.logs, PROJECT)
        try:
            supervisor.start(programs(environment, variables))
            _wait_until_ready(environment, supervisor)
            say(welcome.text(environment))
            while True:
                supervisor.watch(3600)
        finally:
            _ignore_signals()
            say(f"Stopping. Operations in flight are finished first; this takes {STOP_SECONDS} s at most.")
            supervisor.stop(lambda names: say(f"Stopping {names}"))


def programs(environment: Environment, variables: dict[str, str]) -> list[Program]:
    """The programs to run. The banks stop last, because others may be waiting for their replies.

    None of the programs gets the URL of the tables' owner.
    """
    variables = variables | {"DATABASE_OWNER_URL": ""}
    python = sys.executable
    programs = [
        Program("web", web.command(environment.port), variables | {"FICPAY_DB_POOL": "6"}),
        Program("worker", [python, "manage.py", "worker"], variables | {"FICPAY_DB_POOL": "0"}),
        Program(
            "recovery",
            [python, "manage.py", "reconcile", "pending", "--watch"],
            variables | {"FICPAY_DB_POOL": "0"},
        ),
        Program("search", [python, "manage.py", "search", "--watch"], variables | {"FICPAY_DB_POOL": "0"}),
    ]
    if not environment.given_bank_url:
        # Like the real bank, the simulated one listens on PORT. Override any PORT from the shell.
        port = {"PORT": str(environment.bank_port)}
        programs.insert(0, Program("bank", [python, "-m", "bank"], variables | port, stage=1))
    if not environment.given_acquirer_url:
        port = {"ACQUIRER_PORT": str(environment.acquirer_port)}
        acquirer = [python, "-m", "bank", "acquirer"]
        programs.insert(0, Program("acquirer", acquirer, variables | port, stage=1))
    return programs


@contextmanager
def _database(environment: Environment) -> Iterator[None]:
    say("Starting PostgreSQL")
    with environment.postgres() as postgres:
        postgres.create_database("ficpay")
        try:
            yield
        finally:
            _ignore_signals()
            say("Stopping PostgreSQL")


def _manage(variables: dict[str, str], doing: str, *command: str) -> None:
    """Run a manage.py command, and show its output only if it fails."""
    say(doing)
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        env=variables, cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Trouble(f"{done.stdout}{done.stderr}\n`manage.py {command[0]}` failed: see its output above.")


def _wait_until_ready(environment: Environment, supervisor: Supervisor) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while answers := _not_ready(environment):
        if time.monotonic() > deadline:
            raise Trouble(f"FicPay is not ready after {READY_SECONDS} s: {'; '.join(answers)}")
        supervisor.watch(0.2)


def _not_ready(environment: Environment) -> list[str]:
    """The programs that do not respond yet. The acquirer has no health call, so it only has to listen."""
    wanted = [f"{environment.url}/health/ready"]
    if not environment.given_bank_url:
        wanted.append(f"{environment.bank_url}/health")
    answers = [f"{url}: {answer}" for url in wanted if (answer := _asked(url)) != "200"]
    if not environment.given_acquirer_url and not _listens("127.0.0.1", environment.acquirer_port):
        answers.append(f"{environment.acquirer_url}: no response")
    return answers


def _asked(url: str) -> str:
    try:
        with requests.Session() as session:
            session.trust_env = False  # localhost must not go through a proxy
            answer = session.get(url, timeout=2)
    except requests.RequestException:
        return "no response"
    return "200" if answer.status_code == 200 else f"{answer.status_code} {answer.text[:500]}"


def _refuse_leftovers(environment: Environment) -> None:
    left = Instance(environment.directory).pids()
    if names := ", ".join(f"{name} ({pid})" for name, pid in left.items() if name != SUPERVISOR):
        raise Trouble(f"A killed `make up` has left processes running: {names}. Stop them with `make down`.")


def _refuse_taken_ports(environment: Environment) -> None:
    wanted = environment.ports
    proposed = dict(wanted)
    problems = []
    for name, port in wanted.items():
        if problem := _problem_with(port):
            problems.append(f"Port {port} {problem}.")
            proposed[name] = _free_port(port, avoid=set(proposed.values()))
    if problems:
        # The line has all ports, so that pasting it keeps those that were given.
        line = " ".join(f"{name}={port}" for name, port in proposed.items())
        raise Trouble(f"{' '.join(problems)} Choose another one: {line} make up")


def _free_port(taken: int, *, avoid: set[int]) -> int:
    """The next free port. After the highest one, the search continues at 1024."""
    ports = chain(range(taken + 1, 65536), range(1024, taken))
    return next(port for port in ports if port not in avoid and not _problem_with(port))


def _problem_with(port: int) -> str:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except PermissionError:
            return "is reserved for the system"
        except OSError:
            if family == socket.AF_INET or _listens(address, port):
                return "is taken by another program"
    return ""


def _listens(address: str, port: int) -> bool:
    """Whether a program listens there. Without IPv6, `bind` fails although none does."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let the first signal raise Ended. Later ones do nothing."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        _ignore_signals()
        raise Ended

    for number in ENDING:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup make up
            signal.signal(number, end)
    yield


def _ignore_signals() -> None:
    """Ignore further signals: they must not interrupt an orderly shutdown."""
    for number in ENDING:
        signal.signal(number, lambda _number, _frame: None)


if __name__ == "__main__":
    main()
