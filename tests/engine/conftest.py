"""Quicker clocks for tests in which somebody waits in vain."""

from dataclasses import replace
from typing import Any

import pytest

from payments.banks.registry import bank_named
from payments.domain.timing import Timing
from tests.simulated_bank import SimulatedBank


@pytest.fixture
def quick(settings: Any, bank: SimulatedBank) -> Timing:
    """Bounds of a second or so, in the proportions of the real ones."""
    settings.BANK_TIMING = Timing(
        connect=0.5,
        read=0.6,
        attempt=1.5,
        start_window=1.0,
        client_wait=1.6,
        lease_margin=1.0,
        backoff_base=0.2,
        backoff_cap=0.5,
    )
    bank_named.cache_clear()
    timing: Timing = settings.BANK_TIMING
    return timing


@pytest.fixture
def brief(settings: Any, quick: Timing) -> Timing:
    """As `quick`, with hardly any time for second attempts: for operations that are to end in doubt."""
    settings.BANK_TIMING = replace(quick, start_window=0.15, backoff_base=0.05, backoff_cap=0.1)
    timing: Timing = settings.BANK_TIMING
    return timing
