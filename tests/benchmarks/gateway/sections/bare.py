"""Bare: the gateway's stage with `bare_server` in FicPay's place."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.gateway.stage.scene import CONNECTIONS, WORKERS, Stage
from tests.support.gateway_server import GatewayServer

APPLICATION = "tests.benchmarks.gateway.sections.bare_server:application"


@contextmanager
def server(beside: Stage, *, threads: int = 96) -> Iterator[Stage]:
    """On the same database, at the same bank and with the same key as FicPay, and as many processes."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as home,
        GatewayServer(
            beside.bank.url,
            Path(home),
            workers=WORKERS,
            threads=threads,
            application=APPLICATION,
            environment={"FICPAY_DB_POOL": str(CONNECTIONS)},
        ) as bare,
    ):
        yield Stage(bare, beside.bank, beside.key)
