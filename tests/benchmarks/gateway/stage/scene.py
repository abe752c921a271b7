"""What a benchmark runs on: PostgreSQL as in production, the web server of `make up`, a stub bank."""

import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection, connections

from payments.domain.patience import patient
from payments.domain.states import Mode
from payments.usecases.merchants import create_merchant, issue_api_key
from tests.benchmarks.gateway.stage import meters
from tests.benchmarks.gateway.stage.load import Plan, Report
from tests.settings import POSTGRES
from tests.support.application_role import grant_privileges
from tests.support.gateway_server import PROJECT, GatewayServer

# Durability is not for sale: what a payment costs includes its two flushes to the disk. A checkpoint in the
# middle of a round would be that round's alone.
POSTGRES.options |= {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "256MB",
    "shared_preload_libraries": "pg_stat_statements",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
}
WORKERS = 2
CONNECTIONS = 6  # of each worker, as under `make up`
LONGEST = 120  # seconds that answers may take beyond the time of a plan
_names = itertools.count(1)


@contextmanager
def postgres() -> Iterator[None]:
    """The server, with the database that all others are copies of."""
    with POSTGRES:
        POSTGRES.create_database("ficpay")
        call_command("migrate", verbosity=0)
        grant_privileges()
        create_merchant(slug="bench", name="Bench")
        with connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        connection.close()
        yield


def postgres_pid() -> int:
    return int((POSTGRES.data / "postmaster.pid").read_text().partition("\n")[0])


@contextmanager
def database() -> Iterator[Any]:
    """A new database, which Django uses meanwhile: migrated, with a merchant and nothing else.

    It goes with the server: to drop it would wait for a checkpoint.
    """
    name, before = f"bench_{next(_names)}", connections["default"]
    before.close()
    with patient(), before._nodb_cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE ficpay')
    copied: Any = connections.create_connection("default")
    copied.settings_dict = {**copied.settings_dict, "NAME": name}
    connections["default"] = copied
    try:
        yield copied
    finally:
        copied.close()
        connections["default"] = before


class StubBank:
    """The process of `stub_bank`, as a context manager."""

    def __enter__(self) -> "StubBank":
        command = [sys.executable, "-m", "tests.benchmarks.gateway.stage.stub_bank"]
        self._process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(self._read())
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def obey(self, command: str) -> None:
        """Returns when it has. The commands are in the process's docstring."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the stub bank has ended"
        return line


@dataclass(frozen=True)
class Stage:
    """A gateway at work, with its bank and a merchant's key."""

    server: GatewayServer
    bank: StubBank
    key: str

    @property
    def web_pid(self) -> int:
        return self.server.process.pid

    def used(self) -> meters.Used:
        """So far, by the gateway and the database."""
        return meters.read(self.web_pid, postgres_pid())

    def ask(self, plan: Plan) -> Report:
        """What comes of a plan. Exits where an answer is not a success."""
        report = ask(plan)
        wrong = {status: count for status, count in report.statuses.items() if status >= 300}
        if wrong or not report.answers:
            raise SystemExit(f"The gateway answered {wrong or 'nothing'}: {self.server.log[-2000:]}")
        return report


@contextmanager
def gateway(*, threads: int = 96, workers: int = WORKERS, slug: str = "bench") -> Iterator[Stage]:
    """FicPay on the database that Django uses now, with that many request threads in each worker."""
    key = issue_api_key(slug=slug, mode=Mode.LIVE).plain
    environment = {
        "FICPAY_DB_POOL": str(CONNECTIONS),
        "FICPAY_LOG_LEVEL": "WARNING",
        # Requests of one bank only, so it may have nearly all threads.
        "FICPAY_BANK_THREADS_OF": f"ficmart={threads - 6},acquirer=4",
    }
    with ExitStack() as held:
        home = held.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        bank = held.enter_context(StubBank())
        server = GatewayServer(
            bank.url, Path(home), workers=workers, threads=threads, environment=environment
        )
        yield Stage(held.enter_context(server), bank, key)


def ask(plan: Plan) -> Report:
    """What comes of a plan that another process carries out, whatever the answers are."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.gateway.stage.load"],
        cwd=PROJECT, input=json.dumps(asdict(plan)), stdout=subprocess.PIPE, text=True, check=True,
        timeout=plan.seconds + LONGEST,
    )  # fmt: skip
    return Report(**json.loads(done.stdout))
