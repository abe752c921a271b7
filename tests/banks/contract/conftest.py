"""Which bank is under test: the one at BANK_URL, or else a simulated one started here, as a process.

Only the command line of the simulated bank is known here, none of its code.
"""

import os
import random
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.banks.contract.client import Bank
from tests.banks.contract.control import Control
from tests.support.contract_suites import answering
from tests.support.project import PROJECT

PORTS = range(20_000, 32_000)
"""Below the range that systems use for the near end of outgoing connections."""


@pytest.fixture(scope="session")
def started_bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]] | None]:
    """A simulated bank of our own, its url and environment; None if BANK_URL names another one."""
    if os.environ.get("BANK_URL"):
        yield None
        return
    home = tmp_path_factory.mktemp("bank")
    for _ in range(20):
        port = random.choice(PORTS)
        weather = {"FAILURE_RATE": "0", "MIN_LATENCY_MS": "0", "MAX_LATENCY_MS": "0"}
        environment = {"PORT": str(port), "BANK_DB": str(home / "ledger.sqlite3"), "PYTHONUNBUFFERED": "1"}
        with (home / "bank.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bank", "--control"],
                cwd=PROJECT,
                env={**weather, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            if _listens(process, home / "bank.log"):
                yield f"http://127.0.0.1:{port}", environment
                return
        finally:
            process.terminate()
            process.wait(timeout=10)
    pytest.fail(f"the simulated bank did not start: {(home / 'bank.log').read_text()}")


@pytest.fixture(scope="session")
def bank_url(started_bank: tuple[str, dict[str, str]] | None) -> str:
    return answering(started_bank[0] if started_bank else os.environ["BANK_URL"], variable="BANK_URL")


@pytest.fixture
def bank(bank_url: str) -> Iterator[Bank]:
    """The bank under test. What a test leaves held or captured is given back after it."""
    with Bank(bank_url) as bank:
        yield bank
        bank.settle()


@pytest.fixture(scope="session")
def has_control_plane(bank_url: str) -> bool:
    with Bank(bank_url) as bank:
        return Control.is_there(bank)


@pytest.fixture
def control(has_control_plane: bool, bank: Bank) -> Iterator[Control]:
    """The control plane, with fair weather for as long as the test lasts."""
    if not has_control_plane:
        pytest.skip(f"the bank at {bank.url} has no control plane (GET /control/state)")
    control = Control(bank)
    control.weather()
    try:
        yield control
    finally:
        control.restore()


@pytest.fixture
def statement_of(started_bank: tuple[str, dict[str, str]] | None) -> Callable[[str], str]:
    """The bank's statement file of a day, by the command in BANK_STATEMENT_COMMAND ({date} is replaced)."""
    environment = dict(os.environ)
    command = os.environ.get("BANK_STATEMENT_COMMAND", "")
    if started_bank:
        environment |= started_bank[1]
        command = f"{shlex.quote(sys.executable)} -m bank statement --date {{date}}"
    if not command:
        pytest.skip("no statement of this bank to be had: BANK_STATEMENT_COMMAND is not set")

    def statement_of(day: str) -> str:
        words = shlex.split(command.format(date=day))
        done = subprocess.run(words, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    return statement_of


def _listens(process: subprocess.Popen[bytes], log: Path) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        if "listening on" in log.read_text():
            return True
        time.sleep(0.02)
    return False
