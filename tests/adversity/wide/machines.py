"""FicPay's machines: each a web server, a worker, a recovery and a search, on ports of their own."""

import itertools
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.adversity.soak.processes import Behind
from tests.support.gateway_server import GatewayServer


class Machine:
    """All that one machine runs, until the stack ends."""

    def __init__(self, stack: ExitStack, home: Path, bank_url: str, environment: Mapping[str, str]) -> None:
        home.mkdir()
        self.web = stack.enter_context(GatewayServer(bank_url, home, environment=environment))
        for name, command in (
            ("worker", ["worker"]),
            ("recovery", ["reconcile", "pending", "--watch"]),
            ("search", ["search", "--watch"]),
        ):
            process = Behind(self.web.environment, home / f"{name}.log", *command)
            process.start()
            stack.callback(process.kill)


class InTurn:
    """The machines' addresses in turn, as a load balancer gives them: a retry meets another machine."""

    def __init__(self, machines: list[Machine]) -> None:
        self._urls = itertools.cycle([machine.web.url for machine in machines])

    @property
    def url(self) -> str:
        return next(self._urls)
