"""Every call of the document, with generated requests good and bad: no response that the document lacks.

schemathesis runs as a process of its own against a real server, with every phase and every check it has.

    pytest tests/api/test_schemathesis.py    what CI plays: the same requests each time (schemathesis.toml)
    make fuzz                                others each time, as long as FUZZ_SECONDS with each key
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.api_client import ApiClient
from tests.support.gateway_server import GatewayServer
from tests.support.simulated_bank import SimulatedBank

HERE = Path(__file__).resolve().parent
SCHEMATHESIS = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")]
SECONDS, SEED = os.environ.get("FUZZ_SECONDS"), os.environ.get("FUZZ_SEED")
ALL_PHASES = "examples,coverage,fuzzing,stateful"
# Single requests are nearly all refused before a bank is asked: what a key changes, lives of payments show.
CI_PHASES = {"live": ALL_PHASES, "test": "stateful"}


@pytest.fixture(autouse=True)
def one_bank(settings: Any) -> None:
    """The acquirer's 503 to every tenth card is no failure of the gateway's, and would count as one."""
    settings.ROUTES = {"live": {"USD": "ficmart"}, "test": settings.ROUTES["test"]}


class TestDocument:
    @pytest.mark.parametrize("mode", ["live", "test"])
    def test_describes_every_answer_to_every_request(
        self, live: ApiClient, test_mode: ApiClient, bank: SimulatedBank, tmp_path: Path, mode: str
    ) -> None:
        client = live if mode == "live" else test_mode
        chosen = ["--phases", ALL_PHASES if SECONDS else CI_PHASES[mode]]
        if SECONDS:
            chosen += ["--max-time", SECONDS, "--max-examples", "200"]
        if SEED:
            chosen += ["--seed", SEED]
        with GatewayServer(bank.url, tmp_path) as server:
            done = subprocess.run(
                [
                    *SCHEMATHESIS,
                    *("run", f"{server.url}/api/schema/", "--header", f"Authorization: Bearer {client.key}"),
                    *(*chosen, "--checks", "all", "--mode", "all", "--workers", "1"),
                    *("--continue-on-failure", "--no-color", "--request-timeout", "30"),
                ],
                cwd=tmp_path,
                env=os.environ
                | {
                    "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks",
                    "PYTHONPATH": str(HERE.parents[1]),
                    "FICPAY_KEY_IN_USE": client.get("/merchants/me").json["api_key"]["id"],
                },
                capture_output=True,
                text=True,
                check=False,
            )
        cases = re.search(r"([\d,]+) generated", done.stdout)
        print(f"{cases.group() if cases else 'no'} cases")  # noqa: T201 (to be read, not judged)
        assert done.returncode == 0, done.stdout + done.stderr
        assert cases, done.stdout
        assert "unforeseen_error" not in server.log
