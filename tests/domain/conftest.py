"""Properties, run many times in one process."""

import os

from hypothesis import HealthCheck, settings

# `make mutants` runs each test many times in one process, and compares the runs.
settings.register_profile(
    "mutants",
    deadline=None,
    database=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.differing_executors],
)
if "MUTANT_UNDER_TEST" in os.environ:
    settings.load_profile("mutants")
