"""`make month`, as short as it can be: days of traffic with their nights, and books that agree in the end."""

import os
import subprocess
import sys

import pytest
from django.db import connection

from tests.settings import POSTGRES
from tests.support.project import PROJECT


@pytest.mark.usefixtures("transactional_db")
def test_some_days_with_faults_end_with_books_that_agree() -> None:
    """A process of its own, since its database has another clock: a copy of this one, on the same server."""
    copied = {
        "FICPAY_TESTS_POSTGRES": str(POSTGRES.directory),
        "MONTH_TEMPLATE": connection.settings_dict["NAME"],
    }
    connection.close()
    done = subprocess.run(
        [sys.executable, "-m", "tests.adversity.month"],
        cwd=PROJECT,
        env={**os.environ, **copied, "DAYS": "3", "PAYMENTS": "10", "SEED": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"[-8000:]
    assert done.stdout.endswith("All books agree.\n")
