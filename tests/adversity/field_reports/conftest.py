"""A client that gives up its attempts soon, as the races have it."""

from tests.adversity.races.conftest import impatient

__all__ = ["impatient"]
