"""The processes behind the web server, as `make up` starts them."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.gateway_server import PROJECT


class Behind:
    """One of them: `manage.py worker` or recovery, in the web server's environment."""

    def __init__(self, environment: Mapping[str, str], log: Path, *command: str) -> None:
        self._command = [sys.executable, "manage.py", *command]
        self._environment = {**environment, "FICPAY_DB_POOL": "0"}
        self._log = log

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=PROJECT, env=self._environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        """End it without warning."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        """Start again after kill()."""
        self.start()
