"""The gateway as a real server process, against the tests' database and a simulated bank."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import requests
from django.db import connection

from dev import web
from dev.postgres import APPLICATION
from tests.support.project import PROJECT

# Below the range from which systems take the ports of outgoing connections.
PORTS = range(20_000, 32_000)


def environment_of_a_process(bank_url: str) -> dict[str, str]:
    """For a process of FicPay's on the tests' database, as the application's role."""
    settings = connection.settings_dict
    host = settings["HOST"].replace("/", "%2F")
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "ficpay.settings",
        "DATABASE_URL": f"postgres://{APPLICATION}@{host}/{settings['NAME']}",
        "BANK_URL": bank_url,
        "PYTHONUNBUFFERED": "1",
    }


class GatewayServer:
    """One granian process tree. `with GatewayServer(bank.url, home) as server: requests.get(server.url)`."""

    def __init__(
        self,
        bank_url: str,
        home: Path,
        *,
        workers: int = 1,
        threads: int = 96,
        application: str = "ficpay.asgi:application",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = 0
        self._log_path = home / "gateway.log"
        self._application = application
        self._workers = workers
        self.environment = {
            **environment_of_a_process(bank_url),
            "FICPAY_REQUEST_THREADS": str(threads),
            **(environment or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The running process, which leads its group; raises AssertionError if there is none."""
        assert self._process is not None, "the gateway is not running"
        return self._process

    @property
    def log(self) -> str:
        """Everything it has printed."""
        return self._log_path.read_text() if self._log_path.exists() else ""

    def __enter__(self) -> Self:
        for _ in range(20):
            self.port = random.choice(PORTS)
            if self._start():
                return self
        raise AssertionError(f"the gateway did not start: {self.log}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def exit_code(self) -> int | None:
        """What its process ended with, negative for a signal; None while it runs."""
        return self._process.poll() if self._process is not None else None

    def restart(self) -> None:
        """Start again on the same port, after stop() or kill()."""
        if not self._start():
            raise AssertionError(f"the gateway did not start again: {self.log[-2000:]}")

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=60)

    def kill(self) -> None:
        """End the whole process tree without warning."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _start(self) -> bool:
        with self._log_path.open("ab") as log:
            self._process = self._launch(web.command(self.port, self._application, self._workers), log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if requests.get(f"{self.url}/health/live", timeout=2).status_code == 200:
                    return True
            except requests.RequestException:
                time.sleep(0.05)
        self.kill()
        return False

    def _launch(self, command: list[str], log: IO[bytes]) -> "subprocess.Popen[bytes]":
        """The process, which leads a session of its own."""
        return subprocess.Popen(
            command,
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
