"""Quicker clocks, as the engine's tests have them, and the gateway of two processes that the races have."""

from tests.engine.conftest import quick
from tests.races.conftest import gateway, impatient, shop

__all__ = ["gateway", "impatient", "quick", "shop"]
