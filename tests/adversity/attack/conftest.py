"""Two of the staff, and calls that outlast the patience of those who sent them."""

from typing import Any

import pytest

from payments.domain.timing import Timing
from tests.office.decisions.conftest import kim, lee

__all__ = ["kim", "lee"]


@pytest.fixture
def long_calls(settings: Any, brief: Timing) -> None:
    """The request's thread does not wait for a call that goes on for long."""
    settings.BANK_TIMING = Timing(start_window=0.1, client_wait=0.3, backoff_base=0.05, backoff_cap=0.1)
