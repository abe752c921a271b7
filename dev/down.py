"""`make down`: stop everything of FicPay that runs under FICPAY_VAR. `make reset`: also delete its data.

python -m dev.down            stops a running `make up`, or what a killed one left behind
python -m dev.down --delete   also deletes its data, keys and logs
"""

import os
import shutil
import signal
import sys
import time
from contextlib import suppress

from dev import environment as environments
from dev.environment import Environment, SettingInvalid
from dev.instance import SUPERVISOR, Instance
from dev.postgres import PostgresFailed
from dev.supervisor import STOP_SECONDS


def main() -> None:
    try:
        environment = environments.read(os.environ)
        stop(environment)
        if "--delete" in sys.argv[1:]:
            delete(environment)
    except (SettingInvalid, PostgresFailed) as trouble:
        sys.exit(str(trouble))


def stop(environment: Environment) -> None:
    """Stop everything in the same order as `make up`. Raises PostgresFailed."""
    instance = Instance(environment.directory)
    running = instance.pids()
    postgres = environment.postgres()
    if not running and not postgres.running():
        print(f"FicPay is not running in {environment.directory}.")
        return
    if supervisor := running.pop(SUPERVISOR, None):
        print(f"Stopping `make up` ({supervisor}). Operations in flight are finished first.")
        os.kill(supervisor, signal.SIGTERM)
        os.kill(supervisor, signal.SIGCONT)  # in case Ctrl-Z suspended it
        _wait_for(instance)
        running = instance.pids()
    banks = {name: pid for name, pid in running.items() if name in {"bank", "acquirer"}}
    for left in ({name: pid for name, pid in running.items() if name not in banks}, banks):
        if left:
            print(f"Stopping {' and '.join(left)}, left behind by a `make up` that was killed.")
            instance.terminate(left, STOP_SECONDS)
    if postgres.running():
        print("Stopping PostgreSQL.")
        postgres.stop_for_everybody()


def delete(environment: Environment) -> None:
    """Delete FicPay's own files and nothing else: FICPAY_VAR may be a directory with other files."""
    ours = ["postgres", "bank", "log", "run", "static", "statements"]
    ours += ["credentials.json", "development.env", "development.lock"]
    for path in [environment.directory / name for name in ours]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    with suppress(OSError):  # it has other files
        environment.directory.rmdir()
    print(f"Deleted data, keys and logs in {environment.directory}. The next `make up` starts from scratch.")


def _wait_for(instance: Instance) -> None:
    deadline = time.monotonic() + STOP_SECONDS + 30
    while instance.is_up() and time.monotonic() < deadline:
        time.sleep(0.1)
    if instance.is_up():
        sys.exit("`make up` does not stop. Its terminal shows what it is waiting for.")


if __name__ == "__main__":
    main()
