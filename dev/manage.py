"""`python -m dev.manage COMMAND...`: runs a manage.py command and ensures that its database is running.

It uses the database of a running `make up`. Without one, it starts the embedded server and stops it
afterwards.
"""

import os
import signal
import subprocess
import sys
from contextlib import nullcontext

from dev import environment as environments
from dev.environment import PROJECT, SettingInvalid
from dev.instance import Instance
from dev.postgres import EmbeddedPostgres, PostgresFailed
from dev.privileges import NoUnprivilegedUser


def main() -> None:
    try:
        sys.exit(run(sys.argv[1:]))
    except (SettingInvalid, PostgresFailed, NoUnprivilegedUser) as trouble:
        sys.exit(str(trouble))


def run(command: list[str]) -> int:
    """Run the command and return its exit status."""
    environment = environments.read(os.environ)
    is_up = Instance(environment.directory).is_up()
    variables = environments.for_programs({} if is_up else environment.write(), environment)
    is_elsewhere = is_up or environment.given_database_url
    with nullcontext() if is_elsewhere else environment.postgres() as postgres:
        if isinstance(postgres, EmbeddedPostgres):
            postgres.create_database("ficpay")
        # The command itself handles Ctrl-C; a shell, for instance, clears its line. Wait until it ends.
        signal.signal(signal.SIGINT, lambda _number, _frame: None)
        signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
        return subprocess.run(
            [sys.executable, "manage.py", *command], env=variables, cwd=PROJECT, check=False
        ).returncode


if __name__ == "__main__":
    main()
