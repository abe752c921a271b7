"""`python -m tests.adversity.wide.storage`: bytes that a payment leaves in each table, for docs/scaling.md.

STORAGE_PAYMENTS (3000) are authorized and then captured at the simulated bank. What is swept after 30 days
is shown apart. Sizes include indexes, after a VACUUM; WAL includes first images of pages.
"""

import os
import random
import sys
import tempfile
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()

import requests  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from payments.domain.states import Mode  # noqa: E402
from payments.usecases.merchants import create_merchant, issue_api_key  # noqa: E402
from tests.adversity.wide.servers import DURABLE  # noqa: E402
from tests.settings import POSTGRES  # noqa: E402
from tests.support.api_client import order  # noqa: E402
from tests.support.application_role import grant_privileges  # noqa: E402
from tests.support.gateway_server import GatewayServer  # noqa: E402
from tests.support.simulated_bank import SimulatedBank  # noqa: E402

SWEPT = ("payments_idempotencykey", "payments_apirequest")
CLIENTS = 8
_TABLE = "table "


def main() -> int:
    count = int(os.environ.get("STORAGE_PAYMENTS") or 3000)
    POSTGRES.options |= {**DURABLE, "max_wal_size": "4GB"}
    with POSTGRES, tempfile.TemporaryDirectory(prefix="storage-") as home, SimulatedBank() as bank:
        POSTGRES.create_database("ficpay")
        call_command("migrate", verbosity=0)
        grant_privileges()
        key = issue_api_key(slug=create_merchant(slug="s", name="S").slug, mode=Mode.LIVE).plain
        environment = {"FICPAY_DB_POOL": "6", "FICPAY_LOG_LEVEL": "WARNING"}
        with GatewayServer(bank.url, Path(home), environment=environment) as server:
            measured = [_measure()]
            payments = _post_all(
                server, key, [("", order(amount=random.randint(1, 300))) for _ in range(count)]
            )
            measured.append(_measure())
            _post_all(server, key, [(f"/{payment}/capture", None) for payment in payments])
            measured.append(_measure())
    _print(measured, len(payments))
    return 0


def _post_all(server: GatewayServer, key: str, posts: list[tuple[str, object]]) -> list[str]:
    """The ids of the payments that succeeded."""
    http = requests.Session()
    http.trust_env = False

    def post(path: str, body: object) -> str | None:
        answer = http.post(
            f"{server.url}/api/v1/payments{path}", json=body, timeout=60,
            headers={"Authorization": f"Bearer {key}", "Idempotency-Key": uuid.uuid4().hex},
        )  # fmt: skip
        return str(answer.json()["id"]) if answer.status_code in (200, 201) else None

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [one for one in pool.map(lambda args: post(*args), posts) if one is not None]


def _measure() -> dict[str, int]:
    """Bytes by table, with its indexes; and where the WAL stood before and after the search caught up."""
    found = {"WAL": _wal()}
    call_command("search", verbosity=0)
    found["WAL after the search"] = _wal()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"VACUUM {table}")
            cursor.execute("SELECT pg_total_relation_size(%s)", [table])
            found[f"{_TABLE}{table}"] = cursor.fetchone()[0]
    return found | {"WAL after all": _wal()}


def _wal() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'")
        return int(cursor.fetchone()[0])


def _print(measured: list[dict[str, int]], count: int) -> None:
    steps = [_step(before, after) for before, after in pairwise(measured)]
    grown = [
        name for name in steps[0] if name.startswith(_TABLE) and any(step[name] > count for step in steps)
    ]

    def line(what: str, names: Iterable[str]) -> None:
        print(f"{what:<32}", *(f"{sum(step[name] for name in names) / count:9.0f}" for step in steps))

    print(f"{f'Bytes a payment, of {count}':<32} authorize   capture")
    for name in grown:
        line(name.removeprefix(_TABLE), [name])
    swept = {f"{_TABLE}{table}" for table in SWEPT}
    line("kept", [name for name in grown if name not in swept])
    line("swept after 30 days", swept)
    line("WAL", ["WAL"])
    line("WAL of the search", ["WAL of the search"])


def _step(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    tables = {name: size - before[name] for name, size in after.items() if name.startswith(_TABLE)}
    return tables | {
        "WAL": after["WAL"] - before["WAL after all"],
        "WAL of the search": after["WAL after the search"] - after["WAL"],
    }


if __name__ == "__main__":
    sys.exit(main())
