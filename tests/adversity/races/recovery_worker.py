"""A recovery worker as a process: `python -m tests.adversity.races.recovery_worker`.

It begins at a line on its input. It prints `ready`, then how many things it has done.
"""

import sys
from datetime import timedelta

import django

WITHIN = timedelta(seconds=10)


def main() -> None:
    django.setup()
    from payments.usecases.recovery import recover_due  # noqa: PLC0415 - needs the set-up

    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    print(recover_due(within=WITHIN), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
