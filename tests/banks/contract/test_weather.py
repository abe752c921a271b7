"""Contract, "Weather": what happens to requests for no reason of their own, and what is spared."""

import time

import pytest

from tests.banks.contract.client import RICH, Bank, is_random_failure, is_replay, new_key
from tests.banks.contract.control import Control

HALF_A_MINUTE = {"min_latency_ms": 30_000, "max_latency_ms": 30_000}


class TestRandomFailures:
    @pytest.mark.control_plane
    def test_a_post_that_fails_at_random_was_not_executed(self, bank: Bank, control: Control) -> None:
        """500 `{"error": "internal_error", "message": "Random failure injection"}` before anything is
        executed.
        """
        key = new_key()
        control.weather(failure_rate=1)
        answer = bank.send("POST", "/api/v1/authorizations", json=RICH.authorization(), key=key)
        assert answer.status_code == 500
        assert answer.json() == {"error": "internal_error", "message": "Random failure injection"}
        assert not control.entries(key)

    @pytest.mark.control_plane
    def test_a_get_fails_at_random_too(self, bank: Bank, control: Control) -> None:
        """By default 5% of requests, GETs too."""
        hold = bank.a_hold()
        control.weather(failure_rate=1)
        assert is_random_failure(bank.send("GET", f"/api/v1/authorizations/{hold}"))

    def test_stored_replies_never_fail_at_random(self, bank: Bank) -> None:
        """Stored replies are returned without weather: twenty in a row, at any failure rate."""
        key = new_key()
        bank.authorize(key=key)
        again = [bank.send("POST", "/api/v1/authorizations", data=b"", key=key) for _ in range(20)]
        assert all(is_replay(answer) for answer in again)

    @pytest.mark.control_plane
    def test_stored_replies_are_returned_without_weather(self, bank: Bank, control: Control) -> None:
        """Neither latency nor failures, even if every new request takes half a minute and fails."""
        key = new_key()
        bank.authorize(key=key)
        control.weather(failure_rate=1, **HALF_A_MINUTE)
        again = bank.send("POST", "/api/v1/authorizations", data=b"", key=key, seconds=20)
        assert is_replay(again)

    def test_health_never_fails_at_random(self, bank: Bank) -> None:
        """`/health` is exempt: forty in a row, at any failure rate."""
        assert {bank.send("GET", "/health").status_code for _ in range(40)} == {200}

    @pytest.mark.control_plane
    def test_health_is_exempt_from_weather(self, bank: Bank, control: Control) -> None:
        """`/health` is exempt from failures and from latency."""
        control.weather(failure_rate=1, **HALF_A_MINUTE)
        assert bank.send("GET", "/health", seconds=20).status_code == 200


@pytest.mark.control_plane
class TestLatency:
    """Every request takes between MIN_LATENCY_MS and MAX_LATENCY_MS."""

    def test_a_post_takes_its_time(self, bank: Bank, control: Control) -> None:
        control.weather(min_latency_ms=300, max_latency_ms=300)
        began = time.monotonic()
        bank.authorize()
        assert time.monotonic() - began >= 0.3

    def test_a_get_takes_its_time(self, bank: Bank, control: Control) -> None:
        hold = bank.a_hold()
        control.weather(min_latency_ms=300, max_latency_ms=300)
        began = time.monotonic()
        bank.read(f"authorizations/{hold}")
        assert time.monotonic() - began >= 0.3
