"""The bank's wire as the contract's tests speak it: plain HTTP, patient with the weather, tidy with money.

Knows nothing of any bank's code. Amounts are cents, and small: the cards' balances are finite, and a real
bank keeps its state between runs.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import requests

from tests.support.contract_suites import Caller

REPLAYED = "X-Idempotent-Replayed"
PATIENCE = 40
"""Even when 30 % of all requests fail, so many failures in a row mean a broken bank, not weather."""

ANSWER_SECONDS = 40
"""Longer than any bank takes that keeps its contract."""


@dataclass(frozen=True)
class Card:
    """A card of the contract's table."""

    number: str
    cvv: str
    expiry_month: int
    expiry_year: int
    balance_cents: int

    def authorization(self, amount: int = 1, **changes: Any) -> dict[str, Any]:
        """The body that authorizes so many cents; a field changed to None is left out."""
        body = {
            "card_number": self.number,
            "cvv": self.cvv,
            "expiry_month": self.expiry_month,
            "expiry_year": self.expiry_year,
            "amount": amount,
        }
        return {name: value for name, value in {**body, **changes}.items() if value is not None}


RICH = Card("4111111111111111", "123", 12, 2030, 1_000_000)
MODEST = Card("4242424242424242", "456", 6, 2030, 50_000)
EMPTY = Card("5555555555554444", "789", 9, 2030, 0)
EXPIRED = Card("5105105105105100", "321", 3, 2020, 500_000)


def new_key() -> str:
    return f"contract-{uuid.uuid4()}"


def code(response: requests.Response) -> str:
    """The error code of an answer that has the contract's error shape."""
    fields = response.json()
    assert set(fields) == {"error", "message"}, fields
    assert isinstance(fields["message"], str)
    assert response.headers["Content-Type"].startswith("application/json")
    return str(fields["error"])


def is_replay(response: requests.Response) -> bool:
    return response.headers.get(REPLAYED) == "true"


def is_random_failure(response: requests.Response) -> bool:
    return response.status_code == 500 and "Random failure injection" in response.text


def instant(text: str) -> datetime:
    """Read an RFC 3339 instant, keeping microseconds; raises AssertionError if it is none."""
    form = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)"
    match = re.fullmatch(form, text)
    assert match, f"{text!r} is not RFC 3339 with up to nine fractional digits"
    whole, fraction, zone = match.groups()
    microseconds = (fraction or "")[:6].ljust(6, "0")
    return datetime.fromisoformat(f"{whole}.{microseconds}{'+00:00' if zone == 'Z' else zone}").astimezone(
        UTC
    )


@dataclass
class Bank(Caller):
    """The bank under test. Remembers what it holds and captures, to give it back (see settle)."""

    held: dict[str, None] = field(default_factory=dict)
    captured: dict[str, int] = field(default_factory=dict)

    # Raw calls.

    def send(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        json: Any = None,
        data: bytes | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> requests.Response:
        """One request, whatever the weather does to it."""
        headers: Mapping[str, str] = {} if key is None else {"Idempotency-Key": key}
        response = self.http.request(
            method,
            self.url + path,
            headers=headers,
            json=json,
            data=data,
            timeout=(5, seconds),
            allow_redirects=False,
        )
        self._remember(response)
        return response

    def patiently(self, *arguments: Any, **options: Any) -> requests.Response:
        """The same, sent again as long as it fails at random: nothing was executed then."""
        for _ in range(PATIENCE):
            response = self.send(*arguments, **options)
            if not is_random_failure(response):
                return response
        raise AssertionError(f"{PATIENCE} random failures in a row")

    # Instructions, patiently. Without a key they take a new one.

    def instruct(self, what: str, body: Any, *, key: str | None = None) -> requests.Response:
        return self.patiently("POST", f"/api/v1/{what}", json=body, key=key or new_key())

    def authorize(self, amount: int = 1, *, card: Card = RICH, key: str | None = None) -> requests.Response:
        return self.instruct("authorizations", card.authorization(amount), key=key)

    def capture(self, hold: str, amount: int = 1, *, key: str | None = None) -> requests.Response:
        return self.instruct("captures", {"authorization_id": hold, "amount": amount}, key=key)

    def void(self, hold: str, *, key: str | None = None) -> requests.Response:
        return self.instruct("voids", {"authorization_id": hold}, key=key)

    def refund(self, capture: str, amount: int = 1, *, key: str | None = None) -> requests.Response:
        return self.instruct("refunds", {"capture_id": capture, "amount": amount}, key=key)

    def read(self, path: str) -> requests.Response:
        return self.patiently("GET", f"/api/v1/{path}")

    # What a test needs to have before it begins.

    def a_hold(self, amount: int = 1, *, card: Card = RICH) -> str:
        response = self.authorize(amount, card=card)
        assert response.status_code == 200, response.text
        return str(response.json()["authorization_id"])

    def a_capture(self, amount: int = 1, *, card: Card = RICH) -> str:
        response = self.capture(self.a_hold(amount, card=card), amount)
        assert response.status_code == 200, response.text
        return str(response.json()["capture_id"])

    def at_once(self, count: int, call: Callable[["Bank"], requests.Response]) -> list[requests.Response]:
        """Make so many calls at the same moment, each on a connection of its own."""
        return [future.result() for future in self.in_background(count, call)]

    def in_background(
        self, count: int, call: Callable[["Bank"], requests.Response]
    ) -> list[Future[requests.Response]]:
        """Begin so many calls at the same moment and do not wait for them."""
        barrier = Barrier(count)
        pool = ThreadPoolExecutor(count)

        def one() -> requests.Response:
            barrier.wait()
            return self._on_its_own(call)

        futures = [pool.submit(one) for _ in range(count)]
        pool.shutdown(wait=False)
        return futures

    # Money.

    def settle(self) -> None:
        """Give back everything this client saw held or captured, and not yet given back."""
        captured, held = list(self.captured.items()), list(self.held)
        with ThreadPoolExecutor(8) as pool:
            pool.map(lambda one: self._on_its_own(lambda bank: bank.refund(*one)), captured)
            pool.map(lambda hold: self._on_its_own(lambda bank: bank.void(hold)), held)

    def _on_its_own(self, call: Callable[["Bank"], requests.Response]) -> requests.Response:
        """Make a call on a connection of its own, so that it can run beside others."""
        with Bank(self.url, held=self.held, captured=self.captured) as another:
            return call(another)

    def _remember(self, response: requests.Response) -> None:
        if response.status_code != 200 or response.request.method != "POST":
            return
        said = response.json()
        match said.get("status"):
            case "approved":
                self.held[said["authorization_id"]] = None
            case "captured":
                self.held.pop(said["authorization_id"], None)
                self.captured[said["capture_id"]] = said["amount"]
            case "voided":
                self.held.pop(said["authorization_id"], None)
            case "refunded":
                self.captured.pop(said["capture_id"], None)
