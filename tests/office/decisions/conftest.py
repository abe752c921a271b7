"""Two members of staff."""

from collections.abc import Iterator

import pytest

from office.log.staff import Staff
from tests.conftest import wait_for_bank_threads
from tests.office.decisions.cases import member
from tests.support.application_role import as_application


@pytest.fixture
def kim(transactional_db: None) -> Staff:
    return member("kim")


@pytest.fixture
def lee(transactional_db: None) -> Staff:
    return member("lee")


@pytest.fixture(autouse=True)
def _as_the_application(transactional_db: None) -> Iterator[None]:
    """What people decide is done with the application's privileges, which have to suffice."""
    with as_application():
        yield
        wait_for_bank_threads()
