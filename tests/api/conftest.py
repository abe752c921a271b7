"""A client for requests that never get as far as a bank: they need no committed rows, and are quick."""

import pytest

from payments.domain.states import Mode
from payments.usecases.merchants import create_merchant, issue_api_key
from tests.support.api_client import ApiClient


@pytest.fixture
def mistaken(db: None) -> ApiClient:
    """FicMart's order service, whose every request in this test is refused or only reads."""
    merchant = create_merchant(slug="ficmart", name="FicMart")
    return ApiClient(issue_api_key(slug=merchant.slug, mode=Mode.LIVE).plain)
