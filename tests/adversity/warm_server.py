"""A gateway that starts in a moment: its processes are forked from one that has loaded the application.

Only the start is shorter: what serves, and what a test kills, is a process tree of its own.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Self

from tests.support.gateway_server import GatewayServer
from tests.support.project import PROJECT


class WarmServer(GatewayServer):
    """As its parent. Everything but the port is fixed by the first start, whatever restarts there are."""

    def __init__(
        self,
        bank_url: str,
        home: Path,
        *,
        application: str,
        threads: int = 96,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(bank_url, home, threads=threads, application=application, environment=environment)
        self._forks: ForkServer | None = None

    def __enter__(self) -> Self:
        self._forks = ForkServer(self._application, self.environment)
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        assert self._forks is not None
        self._forks.close()

    def _launch(self, command: list[str], log: IO[bytes]) -> "Forked":
        assert self._forks is not None
        return self._forks.fork(command, log.name)


class ForkServer:
    """The process that has loaded the application. It serves nothing and has no threads."""

    def __init__(self, application: str, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.adversity.warm_server", application],
            cwd=PROJECT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def fork(self, command: list[str], log: str) -> "Forked":
        return Forked(self, self.order(start=[command, log]))

    def order(self, **what: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(what)}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


class Forked:
    """A child of the fork server, with the methods of `subprocess.Popen` that a gateway needs."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self._server, self.pid = server, pid
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            self._code = self._server.order(poll=self.pid)
        return self._code

    def wait(self, timeout: float = 60) -> int:
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("the gateway", timeout)
            time.sleep(0.005)
        return code

    def send_signal(self, sent: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, sent)


# In the fork server.


def main(application: str) -> None:
    """Obey the orders on standard input, until it ends."""
    import_module(application.partition(":")[0])
    for line in sys.stdin:
        order = json.loads(line)
        told = _start(*order["start"]) if "start" in order else _poll(order["poll"])
        print(json.dumps(told), flush=True)  # noqa: T201 - the test reads it


def _start(command: list[str], log: str) -> int:
    if pid := os.fork():
        return pid
    try:
        os.setsid()
        with Path(os.devnull).open("rb") as nothing, Path(log).open("ab") as printed:
            os.dup2(nothing.fileno(), 0)
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
        from dev import web  # noqa: PLC0415 - granian is loaded where it is needed

        sys.argv = command[2:]
        web.main()
    except SystemExit as ended:
        os._exit(ended.code if isinstance(ended.code, int) else 1)
    os._exit(0)


def _poll(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


if __name__ == "__main__":
    main(sys.argv[1])
