"""Two members of staff."""

import pytest

from payments.services.staff import Staff
from tests.office.cases import member


@pytest.fixture
def kim(transactional_db: None) -> Staff:
    return member("kim")


@pytest.fixture
def lee(transactional_db: None) -> Staff:
    return member("lee")
