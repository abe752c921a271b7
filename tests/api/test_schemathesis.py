"""Every call of the document, with generated requests good and bad: no answer that the document lacks.

schemathesis runs as a process of its own against a real server, with every phase and every check it has.
"""

import os
import random
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
SECONDS = 25  # for each of the two keys


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
        seed = int(os.environ.get("SCHEMATHESIS_SEED") or random.randrange(2**32))
        with GatewayServer(bank.url, tmp_path) as server:
            done = subprocess.run(
                [
                    *(
                        sys.executable,
                        "-m",
                        "schemathesis.cli",
                        "--config-file",
                        str(HERE / "schemathesis.toml"),
                    ),
                    *("run", f"{server.url}/api/schema/", "--header", f"Authorization: Bearer {client.key}"),
                    *("--phases", "examples,coverage,fuzzing,stateful", "--checks", "all", "--mode", "all"),
                    *("--max-time", str(SECONDS), "--max-examples", "200", "--seed", str(seed)),
                    *("--workers", "1", "--continue-on-failure", "--no-color"),
                    *("--generation-database", "none", "--request-timeout", "30"),
                ],
                cwd=tmp_path,
                env=os.environ
                | {"SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks", "PYTHONPATH": str(HERE.parents[1])},
                capture_output=True,
                text=True,
                check=False,
            )
        cases = re.search(r"([\d,]+) generated", done.stdout)
        print(f"seed {seed}, {cases.group() if cases else 'no'} cases")  # noqa: T201 (to be read, not judged)
        assert done.returncode == 0, f"SCHEMATHESIS_SEED={seed}\n{done.stdout}{done.stderr}"
        assert cases, done.stdout
        assert "unforeseen_error" not in server.log
