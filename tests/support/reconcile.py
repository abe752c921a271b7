"""`manage.py reconcile` within the tests' process."""

import io

from django.core.management import CommandError, call_command


def reconcile(*arguments: str) -> tuple[int, str]:
    """Exit code and what was printed."""
    printed = io.StringIO()
    try:
        call_command("reconcile", *arguments, stdout=printed)
    except SystemExit as done:
        return int(str(done.code)), printed.getvalue()
    except CommandError as error:
        return error.returncode, str(error)
    return 0, printed.getvalue()
