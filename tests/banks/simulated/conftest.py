"""A bank for these tests, the same process for all, as new for each."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.support.simulated_bank import SimulatedBank

CARD = {"card_number": "4111111111111111", "cvv": "123", "expiry_month": 12, "expiry_year": 2030}

Post = Callable[..., requests.Response]


@pytest.fixture
def bank(bank_process: SimulatedBank) -> SimulatedBank:
    bank_process.reset()
    return bank_process


@pytest.fixture
def post() -> Iterator[Post]:
    """Send an instruction to a bank: post(bank, "captures", "a key", authorization_id=..., amount=...)."""
    with requests.Session() as http:
        http.trust_env = False

        def post(bank: SimulatedBank, what: str, key: str, **body: Any) -> requests.Response:
            return http.post(
                f"{bank.url}/api/v1/{what}",
                json=body,
                headers={"Idempotency-Key": key},
                timeout=20,
                allow_redirects=False,
            )

        yield post


@pytest.fixture
def authorize(post: Post) -> Post:
    """Authorize some cents: authorize(bank, "a key", amount=100)."""

    def authorize(bank: SimulatedBank, key: str, amount: int = 100, **changes: Any) -> requests.Response:
        return post(bank, "authorizations", key, **{**CARD, "amount": amount, **changes})

    return authorize


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool
