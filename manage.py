#!/usr/bin/env python3
"""Run an operator's command: `.venv/bin/python manage.py help` lists them."""

import os
import sys

try:
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import Error as DatabaseError
except ModuleNotFoundError:
    sys.exit(
        "This Python has no Django. FicPay's lies in .venv (make installs it): .venv/bin/python manage.py"
    )


def main() -> None:
    """Say in a line what an operator can mend; `--traceback` shows where it happened."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ficpay.settings")
    try:
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, DatabaseError) as error:
        words = _plain_words(error)
        if not words or "--traceback" in sys.argv:
            raise
        sys.exit(words)


def _plain_words(error: Exception) -> str:
    """What is wrong and what to do; empty for what no operator can mend."""
    if isinstance(error, ImproperlyConfigured):
        return str(error)
    from payments.models.guards import (  # noqa: PLC0415 - needs the settings
        database_is_away,
        waited_in_vain,
    )

    said = " ".join(str(error).split())
    if waited_in_vain(error):
        return f"The database has given a statement up ({said}). Somebody may hold a lock: try again."
    if not database_is_away(error):
        return ""
    return f"The database is away ({said}). `make up` starts a development one; elsewhere check DATABASE_URL."


if __name__ == "__main__":
    main()
