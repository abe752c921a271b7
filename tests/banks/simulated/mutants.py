"""Proof that the contract suite sees what it should: break the bank, sentence by sentence, and watch.

    python -m tests.banks.simulated.mutants             # all of them, with a table at the end
    python -m tests.banks.simulated.mutants expires     # those whose sentence contains a word

First the bank as it is must pass the whole suite, then each mutated bank must fail the tests named with its
mutation, and each test of the suite must be named by some mutation.
"""

import os
import random
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree  # reads only what our own pytest wrote

from tests.banks.simulated.mutations import MUTATIONS
from tests.banks.simulated.mutations.mutation import SUITE, Mutation, TextNotFound
from tests.support.project import PROJECT

FAIR_WEATHER = {"FAILURE_RATE": "0", "MIN_LATENCY_MS": "0", "MAX_LATENCY_MS": "0"}
ALL_MUST_PASS = Mutation("the bank as it is", (), ())

PYTEST_SETTINGS = """\
[pytest]
addopts = -q -p no:cacheprovider -p no:django -p no:schemathesis --tb=no
markers = control_plane: needs a bank whose control plane is switched on
"""


class ProvesNothing(Exception):
    """The mutated bank does not start, or breaks down instead of a sentence. The message says how."""


@dataclass(frozen=True)
class Verdict:
    """What became of one mutation: `missed` are the named tests that did not fail."""

    mutation: Mutation
    missed: tuple[str, ...] = ()
    error: str = ""

    @property
    def caught(self) -> bool:
        return not self.missed and not self.error


def judge(mutation: Mutation) -> Verdict:
    """Break a copy of the bank and run the tests that must notice."""
    try:
        with mutated_bank(mutation) as (home, environment):
            failed = failing_tests(mutation.caught_by, home, environment)
            if "FAULT" in (faults := (home / "bank.log").read_text()):
                raise ProvesNothing(next(line for line in faults.splitlines() if "FAULT" in line))
    except (TextNotFound, ProvesNothing) as wrong:
        return Verdict(mutation, error=str(wrong))
    return Verdict(mutation, missed=tuple(test for test in mutation.caught_by if test not in failed))


def judge_the_bank_as_it_is() -> set[str]:
    """The tests that fail, or are skipped, although nothing was broken: there must be none."""
    with mutated_bank(ALL_MUST_PASS) as (home, environment):
        return failing_tests((SUITE,), home, environment, skipped_count=True)


@contextmanager
def mutated_bank(mutation: Mutation) -> Iterator[tuple[Path, dict[str, str]]]:
    """A running bank with this mutation, in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as directory:
        home = Path(directory)
        shutil.copytree(PROJECT / "bank", home / "bank", ignore=shutil.ignore_patterns("__pycache__"))
        mutation.apply(home / "bank")
        port = _free_port()
        environment = {
            **FAIR_WEATHER,
            **mutation.environment,
            "PATH": os.environ.get("PATH", ""),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PORT": str(port),
            "BANK_DB": str(home / "ledger.sqlite3"),
            "BANK_CONTROL": "1",
        }
        log = home / "bank.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "bank"], cwd=home, env=environment, stdout=output, stderr=output
            )
        try:
            _wait_until_it_listens(process, log)
            yield home, {**environment, "BANK_URL": f"http://127.0.0.1:{port}"}
        finally:
            process.kill()  # a mutant need not know how to stop
            process.wait()


def failing_tests(
    tests: tuple[str, ...], home: Path, environment: dict[str, str], *, skipped_count: bool = False
) -> set[str]:
    """Run tests of the suite against the bank in `home`; a parametrized test fails if one case does."""
    settings, report = home / "pytest.ini", home / "report.xml"
    settings.write_text(PYTEST_SETTINGS)
    statement = (
        f"cd {shlex.quote(str(home))} && {shlex.quote(sys.executable)} -m bank statement --date {{date}}"
    )
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", str(settings), "--rootdir", str(PROJECT)),
            *("--confcutdir", str(PROJECT / SUITE), "--junitxml", str(report), *tests),
        ],
        cwd=PROJECT,
        env={**environment, "BANK_STATEMENT_COMMAND": f"sh -c {shlex.quote(statement)}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )
    unwanted = ("failure", "error", "skipped") if skipped_count else ("failure",)
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))  # noqa: S314 - our own file
    if not cases:
        raise ProvesNothing("no test ran")
    return {_name(case) for case in cases if any(case.find(tag) is not None for tag in unwanted)}


def contract_tests() -> set[str]:
    """Every test of the suite, by name, its parameters left out."""
    found = set()
    for file in sorted((PROJECT / SUITE).glob("test_*.py")):
        group = ""
        for line in file.read_text().splitlines():
            if opening := re.match(r"class (Test\w+)", line):
                group = opening[1]
            elif test := re.match(r"    def (test_\w+)", line):
                found.add(f"{SUITE}/{file.name}::{group}::{test[1]}")
    return found


def main() -> None:
    word = " ".join(sys.argv[1:])
    chosen = [mutation for mutation in MUTATIONS if word in mutation.sentence]
    if not chosen:
        sys.exit(f"No mutation breaks a sentence with {word!r} in it.")
    complaints = [
        f"fails or is skipped on the bank as it is: {test}" for test in sorted(judge_the_bank_as_it_is())
    ]
    _say(f"The bank as it is: {'NOT ' if complaints else ''}all {len(contract_tests())} tests pass.")
    with ThreadPoolExecutor(max_workers=(os.cpu_count() or 2)) as pool:
        for verdict in pool.map(judge, chosen):
            _show(verdict)
            complaints += [verdict.mutation.sentence] if not verdict.caught else []
    if not word:
        named = {test for mutation in MUTATIONS for test in mutation.caught_by}
        complaints += [f"no mutation makes it fail: {test}" for test in sorted(contract_tests() - named)]
        complaints += [f"there is no such test: {test}" for test in sorted(named - contract_tests())]
    _say(f"\n{len(chosen)} sentences broken; {len(complaints)} complaints.")
    for complaint in complaints:
        _say(f"  {complaint}")
    sys.exit(1 if complaints else 0)


def _show(verdict: Verdict) -> None:
    _say(f"{'caught' if verdict.caught else 'MISSED'}  {verdict.mutation.sentence}")
    for test in verdict.mutation.caught_by:
        mark = "-" if test in verdict.missed or verdict.error else "x"
        _say(f"        {mark} {test.removeprefix(SUITE + '/')}")
    if verdict.error:
        _say(f"        {verdict.error}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _free_port() -> int:
    """A port that nobody has, below those that systems use for the near end of outgoing connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _wait_until_it_listens(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        if "listening on" in log.read_text():
            return
        time.sleep(0.02)
    raise ProvesNothing(log.read_text()[-2000:] or "it does not start, and prints nothing")


def _name(case: ElementTree.Element) -> str:
    module, _, group = case.attrib["classname"].rpartition(".")
    test = case.attrib["name"].partition("[")[0]
    return f"{module.replace('.', '/')}.py::{group}::{test}"


if __name__ == "__main__":
    main()
