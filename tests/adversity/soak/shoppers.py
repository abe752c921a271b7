"""Shoppers: each instructs one payment after the other, and asks until the response is final."""

import itertools
import random
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any, Protocol

import requests

from tests.adversity.soak.tally import Tally
from tests.support.api_client import CARDS, order

FINAL = (200, 201, 402)
# What a busy or troubled FicPay may answer instead; the shopper asks again with the same key.
NOT_YET = ("202", "409 idempotency_key_in_use", "503 bank_unavailable", "503 service_unavailable")
NOT_YET += ("503 overloaded",)
# Seconds after which a shopper turns to its next order, and asks for this one's answer at the end.
PATIENCE = 15.0
AT_THE_ACQUIRER = 0.4  # of the orders
# Each order at the acquirer has an amount of its own: it knows no keys that would tell them apart.
_amounts = itertools.count(1)
LOOKED_AT_AGAIN = 10  # of its final responses, as many are asked for once more at the end


class Gateway(Protocol):
    """Where FicPay is reached. It may be another machine each time."""

    @property
    def url(self) -> str: ...


@dataclass
class Instruction:
    """One POST of a shopper's, and its final response."""

    path: str
    body: dict[str, Any] | None
    key: str
    payment_id: str | None = None
    final: tuple[int, bytes] | None = None

    @property
    def verb(self) -> str:
        return self.path.rpartition("/")[2]


class Shopper(threading.Thread):
    """Shops until `end` (monotonic seconds), then asks for what is unanswered until peace is over."""

    def __init__(
        self, server: Gateway, key: str, tally: Tally, *, end: float, peace_is_over: threading.Event
    ) -> None:
        super().__init__()
        self._server, self._tally, self._end, self._peace_is_over = server, tally, end, peace_is_over
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers["Authorization"] = f"Bearer {key}"
        self._unanswered: list[Instruction] = []
        self._answered: list[Instruction] = []

    def run(self) -> None:
        try:
            while time.monotonic() < self._end:
                self._shop()
            self._ask_for_the_rest()
            self._ask_once_more()
        except Exception as error:  # noqa: BLE001 - a thread's end must not go unnoticed
            self._tally.accuse(f"a shopper ended by {error!r}")

    def _shop(self) -> None:
        if random.random() < AT_THE_ACQUIRER:
            self._shop_at_the_acquirer()
        else:
            self._shop_at_the_bank()

    def _shop_at_the_acquirer(self) -> None:
        """An order in euros or pounds, which can only be authorized."""
        card = random.choices(["visa", "no-funds"], [12, 1])[0]
        currency = random.choice(["EUR", "GBP"])
        self._instruct("/payments", order(card=CARDS[card], amount=next(_amounts), currency=currency))

    def _shop_at_the_bank(self) -> None:
        card = random.choices(["visa", "visa-500", "no-funds"], [12, 1, 1])[0]
        body = order(card=CARDS[card], amount=random.randint(1, 300))
        payment = self._instruct("/payments", body)
        if payment is None or payment["state"] != "AUTHORIZED":
            return
        if random.random() < 0.3:
            self._instruct(f"/payments/{payment['id']}/void", payment_id=payment["id"])
            return
        captured = self._instruct(f"/payments/{payment['id']}/capture", payment_id=payment["id"])
        if captured and random.random() < 0.5:
            self._instruct(f"/payments/{payment['id']}/refund", payment_id=payment["id"])

    def _instruct(
        self, path: str, body: dict[str, Any] | None = None, *, payment_id: str | None = None
    ) -> dict[str, Any] | None:
        """The receipt once it is final, or None where it is not within the shopper's patience."""
        instruction = Instruction(path, body, uuid.uuid4().hex, payment_id)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            receipt = self._ask(instruction)
            if receipt is not None:
                return receipt
        self._unanswered.append(instruction)
        return None

    def _ask_for_the_rest(self) -> None:
        while self._unanswered and not self._peace_is_over.is_set():
            self._unanswered = [one for one in self._unanswered if self._ask(one) is None]
        for one in self._unanswered:
            self._tally.leave(one.payment_id, one.verb)

    def _ask_once_more(self) -> None:
        """The same key and body get the same answer, to the byte."""
        for one in random.sample(self._answered, min(LOOKED_AT_AGAIN, len(self._answered))):
            answer = self._post(one, patience=30)
            if answer is None or answer.status_code not in FINAL:
                self._tally.accuse(f"{one.path} was answered {one.final}, and nothing final later: {answer}")
            elif (answer.status_code, answer.content) != one.final:
                self._tally.accuse(f"{one.path} was answered {one.final}, and later {answer.content!r}")
            self._tally.answer("final responses asked for once more")

    def _ask(self, instruction: Instruction) -> dict[str, Any] | None:
        """The receipt, if this answer is final; else after a pause None."""
        # Some lose their patience, hang up, and ask again.
        answer = self._post(instruction, patience=60 if random.random() < 0.9 else random.uniform(0.05, 1))
        if answer is None:
            time.sleep(random.uniform(0.1, 0.5))
            return None
        if answer.status_code in FINAL:
            instruction.final = (answer.status_code, answer.content)
            self._answered.append(instruction)
            receipt: dict[str, Any] = answer.json()
            receipt = receipt.get("payment", receipt)
            self._tally.tell(receipt)
            return receipt
        if _named(answer) not in NOT_YET:
            self._tally.accuse(f"{instruction.path} was answered {answer.status_code} {answer.text}")
        time.sleep(min(2.0, float(answer.headers.get("Retry-After", 1))))
        return None

    def _post(self, instruction: Instruction, *, patience: float) -> requests.Response | None:
        try:
            answer = self._http.post(
                f"{self._server.url}/api/v1{instruction.path}",
                json=instruction.body, headers={"Idempotency-Key": instruction.key}, timeout=patience,
            )  # fmt: skip
        except requests.RequestException as error:
            hung_up = isinstance(error, requests.Timeout)
            self._tally.inject("callers who hung up" if hung_up else "calls cut off by a kill")
            return None
        self._tally.answer(_named(answer))
        return answer


def _named(answer: requests.Response) -> str:
    """`201`, `503 overloaded`: the status, and the code of a problem."""
    is_problem = answer.status_code >= 400 and "json" in answer.headers.get("Content-Type", "")
    return f"{answer.status_code} {answer.json().get('code', '')}" if is_problem else str(answer.status_code)
