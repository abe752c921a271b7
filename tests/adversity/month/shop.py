"""The traffic of the month: payments through the API of a running server, several at once."""

import random
import threading
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.support.api_client import CARDS, order

AT_ONCE = 8
LATER = "later"  # the rest of a payment's life goes on the next day
# What the merchant leaves to FicPay: in doubt, declined, not executed, or under review.
_LEFT = (202, 402, 409, 503)


class Api:
    """One merchant's key at the server; a session for each thread."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key, self._local = url, key, threading.local()

    def post(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """The response's status and body. Raises AssertionError for one that nobody expects."""
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        response = self._http.post(f"{self._url}/api/v1{path}", json=body, headers=headers, timeout=60)
        assert response.status_code in (200, 201, *_LEFT), response.text
        return response.status_code, response.json()

    def receipts(self) -> list[dict[str, Any]]:
        """All of them."""
        found: list[dict[str, Any]] = []
        following: str | None = f"{self._url}/api/v1/payments?page_size=100"
        while following:
            page = self._http.get(following, timeout=60).json()
            found, following = found + page["results"], page["next"]
        return found

    @property
    def _http(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
            self._local.session.headers["Authorization"] = f"Bearer {self._key}"
        session: requests.Session = self._local.session
        return session


@dataclass
class Life:
    """One payment's: what it is for, and what the merchant does with it."""

    api: Api
    order: dict[str, Any]
    steps: list[tuple[str, int | None]]  # verb and amount in minor units; None: all
    payment: str = ""


@dataclass
class Tally:
    """What the merchant got, by verb and by status."""

    done: Counter[str] = field(default_factory=Counter)
    left: Counter[int] = field(default_factory=Counter)


class Shop:
    """The merchant in both modes."""

    def __init__(self, live: Api, test: Api, seed: int) -> None:
        self._live, self._test, self._random = live, test, random.Random(seed)
        self._later: list[Life] = []
        self._lock = threading.Lock()

    def trade(self, payments: int) -> Tally:
        """So many new payments, beside those that go on from the day before. Returns when all have ended."""
        going_on, self._later = self._later, []
        lives = going_on + [self._new_life() for _ in range(payments)]
        tally = Tally()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda life: self._live_it(life, tally), lives))
        return tally

    def _new_life(self) -> Life:
        kind = self._random.choices(["live", "test", "euro"], [60, 30, 10])[0]
        if kind == "euro":
            return Life(self._live, order(currency="EUR", amount=self._random.randint(100, 900)), [])
        return self._of_test() if kind == "test" else self._of_live()

    def _of_live(self) -> Life:
        """Small amounts: the month must not use up the bank's test cards."""
        steps: Sequence[Sequence[str]] = (
            *(["capture"], ["capture", "refund"], ["void"], []),
            *([LATER, "capture"], ["capture", LATER, "refund"], [LATER, "void"]),
        )
        chosen = self._random.choices(steps, [50, 12, 8, 5, 12, 8, 5])[0]
        amount = self._random.randint(100, 300)
        card = "no-funds" if self._random.random() < 0.03 else "visa"
        return Life(self._live, order(amount=amount, card=CARDS[card]), [(step, None) for step in chosen])

    def _of_test(self) -> Life:
        currency = self._random.choice(["USD", "GBP", "JPY"])
        amount = self._random.randint(1000, 9000)
        part = self._random.randint(500, amount)
        refunds = [("refund", part // 3), ("refund", part - part // 3)][: self._random.randint(0, 2)]
        steps: list[tuple[str, int | None]] = [("capture", part), *refunds]
        if self._random.random() < 0.2:
            steps = [("void", None)]
        elif self._random.random() < 0.3:
            steps.insert(0, (LATER, None))
        return Life(self._test, order(amount=amount, currency=currency), steps)

    def _live_it(self, life: Life, tally: Tally) -> None:
        if not life.payment:
            status, receipt = life.api.post("/payments", life.order)
            self._note(tally, "authorize", status)
            if status != 201:
                return
            life.payment = receipt["id"]
        while life.steps:
            verb, amount = life.steps.pop(0)
            if verb == LATER:
                with self._lock:
                    self._later.append(life)
                return
            body = {"amount": amount} if amount else None
            status, _ = life.api.post(f"/payments/{life.payment}/{verb}", body)
            self._note(tally, verb, status)
            if status != 200:
                return

    def _note(self, tally: Tally, verb: str, status: int) -> None:
        with self._lock:
            if status in _LEFT:
                tally.left[status] += 1
            else:
                tally.done[verb] += 1
