"""`make month`, as short as it can be: days of traffic with their nights, and books that agree in the end."""

import os
import subprocess
import sys

import pytest

from tests.settings import POSTGRES
from tests.support.project import PROJECT


@pytest.mark.usefixtures("db")  # the server runs
def test_some_days_with_faults_end_with_books_that_agree() -> None:
    """A process of its own, since its database has another clock; on the server of the other tests."""
    server = str(POSTGRES.directory)
    done = subprocess.run(
        [sys.executable, "-m", "tests.adversity.month"],
        cwd=PROJECT,
        env={**os.environ, "DAYS": "3", "PAYMENTS": "10", "SEED": "1", "FICPAY_TESTS_POSTGRES": server},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"[-8000:]
    assert done.stdout.endswith("All books agree.\n")
