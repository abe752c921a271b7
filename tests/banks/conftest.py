"""A bank client with short bounds, and the instructions it is given."""

import pytest

from payments.domain.timing import Timing


@pytest.fixture
def timing() -> Timing:
    """A second in all, half of it for an answer: what waits in vain waits that long."""
    return Timing(connect=0.3, read=0.5, attempt=1.0, lease_margin=1.0)
