"""Workers of recovery, a process each: `python -m tests.adversity.races.recovery_workers 3`.

They begin together. Each prints how many things it has done.
"""

import multiprocessing
import sys
from datetime import timedelta

import django

WITHIN = timedelta(seconds=10)


def main(count: int) -> None:
    """Forked when the application is loaded, before anything is connected to."""
    django.setup()
    together = multiprocessing.get_context("fork")
    ready = together.Barrier(count)
    workers = [together.Process(target=_work, args=(ready.wait,)) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0


def _work(wait_for_all: object) -> None:
    from payments.usecases.recovery import recover_due  # noqa: PLC0415 - needs the set-up

    assert callable(wait_for_all)
    wait_for_all()
    sys.stdout.write(f"{recover_due(within=WITHIN)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
