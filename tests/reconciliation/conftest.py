"""Operators' commands work with the application's privileges, which have to suffice."""

from collections.abc import Iterator

import pytest

from tests.conftest import wait_for_bank_threads
from tests.support.application_role import as_application


@pytest.fixture(autouse=True)
def _as_the_application(transactional_db: None) -> Iterator[None]:
    with as_application():
        yield
        wait_for_bank_threads()
