"""What the tests of this folder share: a clock that can be put forward."""

from collections.abc import Callable

import pytest

from tests.adversity.boot_clock import boot_clock_ahead, modules_that_read_it


@pytest.fixture
def put_clock_forward(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """By so many seconds, for this process: its leases run out by it. The database's rows do not age."""
    ahead = [0.0]
    clock = boot_clock_ahead(lambda: ahead[0])
    for module in modules_that_read_it():
        monkeypatch.setattr(module, "boot_clock", clock)

    def put(seconds: float) -> None:
        ahead[0] += seconds

    return put
