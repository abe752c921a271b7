"""Properties as a mutation run needs them, and clocks of another zone."""

import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# `make mutants` runs each test many times in one process, and compares the runs.
settings.register_profile(
    "mutants",
    deadline=None,
    database=None,
    derandomize=True,
    max_examples=30,
    suppress_health_check=[HealthCheck.differing_executors],
)
if "MUTANT_UNDER_TEST" in os.environ:
    settings.load_profile("mutants")


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clocks show another zone."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()
