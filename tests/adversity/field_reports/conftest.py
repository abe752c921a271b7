"""The gateway of two processes that the races have."""

from tests.adversity.races.conftest import gateway, impatient, shop

__all__ = ["gateway", "impatient", "shop"]
