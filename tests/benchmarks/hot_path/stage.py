"""What the hot path runs on here: PostgreSQL as in production, the web server of `make up`, a stub bank."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from payments.domain.states import Mode
from payments.usecases.merchants import create_merchant, issue_api_key
from tests.application_role import grant_privileges
from tests.benchmarks.hot_path.load import Plan, Report
from tests.gateway_server import PROJECT, GatewayServer
from tests.settings import POSTGRES

# Durability is not for sale: what a payment costs includes its two flushes to the disk.
POSTGRES.options |= {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "shared_preload_libraries": "pg_stat_statements",
    "max_wal_size": "4GB",
}


@dataclass(frozen=True)
class Stage:
    """All of it, running."""

    server: GatewayServer
    postgres_pid: int
    key: str

    @property
    def web_pid(self) -> int:
        return self.server.process.pid


@contextmanager
def stage(delay_ms: tuple[float, float] = (0, 0)) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="bench-") as home, POSTGRES:
        POSTGRES.create_database("ficpay")
        call_command("migrate", verbosity=0)
        grant_privileges()
        with connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        key = issue_api_key(slug=create_merchant(slug="bench", name="Bench").slug, mode=Mode.LIVE).plain
        bank, port = _stub_bank(delay_ms)
        environment = {"FICPAY_DB_POOL": "6", "FICPAY_LOG_LEVEL": "WARNING"}
        try:
            with GatewayServer(
                f"http://127.0.0.1:{port}", Path(home), workers=2, threads=64, environment=environment
            ) as server:
                pid = int((POSTGRES.data / "postmaster.pid").read_text().partition("\n")[0])
                yield Stage(server, pid, key)
        finally:
            bank.kill()
            bank.wait()


def ask(plan: Plan) -> Report:
    """What comes of a plan that another process carries out."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.hot_path.load"],
        cwd=PROJECT, input=json.dumps(asdict(plan)), stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return Report(**json.loads(done.stdout))


def _stub_bank(delay_ms: tuple[float, float]) -> tuple["subprocess.Popen[str]", int]:
    low, high = delay_ms
    command = [sys.executable, "-m", "tests.benchmarks.hot_path.stub_bank", "--delay-ms", str(low), str(high)]
    bank = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert bank.stdout is not None
    return bank, int(bank.stdout.readline())
