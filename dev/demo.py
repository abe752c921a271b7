"""`make demo`: payments at the running FicPay from start to end, in a minute. Prints all requests and
responses.

It shows how to write a client: every POST has an Idempotency-Key, a retry has the same key and body, and a
202, a 503 or no response at all is never taken for an outcome.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import requests

from dev import environment as environments
from dev.environment import Environment, SettingInvalid
from dev.instance import Instance
from dev.supervisor import paint

GOOD_CARD = {"number": "4111111111111111", "cvv": "123", "expiry_month": 12, "expiry_year": 2030}
EMPTY_CARD = {"number": "5555555555554444", "cvv": "789", "expiry_month": 9, "expiry_year": 2030}
# The fields of a receipt to print, enough to follow the demonstration.
SHOWN = (
    *("id", "order_id", "state", "pending_operation", "money_moved"),
    *("amount", "currency", "code", "detail"),
)
SHOWN_OF_ORDER = ("order_id", "ready_to_ship", "reason")
# The demonstration gives up after this time; the gateway itself never gives up on an operation in doubt.
PATIENCE_SECONDS = 180
OPEN = (HTTPStatus.ACCEPTED, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)


class Trouble(Exception):
    """The demonstration cannot continue. The message says why."""


class Client(requests.Session):
    """A merchant's client of the API."""

    def __init__(self, base: str, api_key: str, run: str) -> None:
        super().__init__()
        self._base = base
        self._run = run
        self.trust_env = False  # localhost must not go through a proxy
        self.headers["Authorization"] = f"Bearer {api_key}"

    def ask(self, path: str, shown: tuple[str, ...] = SHOWN) -> dict[str, Any]:
        """GET the path. Raises Trouble unless the response is a 200."""
        say(paint(f"GET {path}", "1"))
        status, body, _ = self._send("GET", path, shown)
        if status != HTTPStatus.OK:
            raise Trouble(f"GET {path} returned {status}.")
        return body

    def instruct(self, path: str, body: Mapping[str, Any], key: str) -> dict[str, Any]:
        """POST, and retry until the outcome is final. Raises Trouble if that takes too long."""
        key = f"demo-{self._run}-{key}"
        say(f"{paint(f'POST {path}', '1')}  Idempotency-Key: {key}")
        if body:
            say(json.dumps(_masked(body)))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            status, answer, retry_after = self._send(
                "POST", path, json=body, headers={"Idempotency-Key": key}
            )
            # In doubt, not executed, too many requests, or the first request is still in progress.
            if status not in OPEN and not (status == HTTPStatus.CONFLICT and retry_after):
                return answer
            if status == HTTPStatus.ACCEPTED:
                say("The bank has not replied clearly. FicPay will find out what happened.")
            say(f"Waiting {retry_after:g} s.")
            if time.monotonic() + retry_after > deadline:
                raise Trouble(
                    f"No final response within {PATIENCE_SECONDS} s. Nothing is lost: a retry with the same "
                    "key gets it later. Run `make demo` again."
                )
            time.sleep(retry_after)
            say("The same request again, with the same key:")

    def _send(
        self, method: str, path: str, shown: tuple[str, ...] = SHOWN, **request: Any
    ) -> tuple[int, dict[str, Any], float]:
        """Status, body and the seconds to wait before a retry, or 0. Raises Trouble."""
        try:
            answer = self.request(method, self._base + path, timeout=60, **request)
            body: dict[str, Any] = answer.json()
        except requests.JSONDecodeError:
            raise Trouble(f"{method} {path} returned {answer.status_code} without JSON.") from None
        except requests.RequestException:
            raise Trouble(
                f"{method} {path} got no response: FicPay is still starting, or has stopped."
            ) from None
        status = HTTPStatus(answer.status_code)
        colour = "32" if answer.ok else "33"
        say(f"{paint(f'{status} {status.phrase}', colour)}  {answer.elapsed.total_seconds():.1f} s")
        if fields := {name: body[name] for name in shown if body.get(name) is not None}:
            say(json.dumps(fields))
        return status, body, float(answer.headers.get("Retry-After", 0))


def main() -> None:
    try:
        demonstrate(environments.running(os.environ))
    except (Trouble, SettingInvalid) as trouble:
        sys.exit(str(trouble))
    except KeyboardInterrupt:
        sys.exit("Interrupted.")


def demonstrate(environment: Environment) -> None:
    """Run the whole demonstration. Raises Trouble."""
    run = str(time.time_ns())  # 19 digits, but they begin with 1, so they are no card number
    with Client(f"{environment.url}/api/v1", _api_key(environment), run) as client:
        sold = sell_and_take_back(client, f"demo-{run}-1")
        void_before_shipping(client, f"demo-{run}-2")
        decline(client, f"demo-{run}-3")
        tell_history(client, sold)
    print(f"\n{paint('That is all.', '1;32')} More: {environment.url}/api/docs/")


def sell_and_take_back(client: Client, order_id: str) -> str:
    """Authorize, capture, refund. Returns the payment's id."""
    chapter("A customer orders: FicPay asks the bank to hold the money (authorize).")
    payment = client.instruct("/payments", _order(order_id, GOOD_CARD), "authorize-1")
    expect(payment, "AUTHORIZED")
    payment_id = str(payment["id"])

    chapter("Can the order be shipped? FicMart asks by its own order id.")
    client.ask(f"/orders/{order_id}", SHOWN_OF_ORDER)

    chapter("The goods ship: take the money (capture).")
    expect(client.instruct(f"/payments/{payment_id}/capture", {}, "capture-1"), "CAPTURED")

    chapter("The customer returns the goods: give the money back (refund).")
    expect(client.instruct(f"/payments/{payment_id}/refund", {"reason": "returned"}, "refund-1"), "REFUNDED")
    return payment_id


def void_before_shipping(client: Client, order_id: str) -> None:
    chapter("Another order is cancelled before it ships: void the hold.")
    payment = client.instruct("/payments", _order(order_id, GOOD_CARD), "authorize-2")
    expect(payment, "AUTHORIZED")
    expect(client.instruct(f"/payments/{payment['id']}/void", {}, "void-2"), "VOIDED")


def decline(client: Client, order_id: str) -> None:
    chapter("A card without money: its issuer declines it. The response is a 402 with the reason.")
    declined = client.instruct("/payments", _order(order_id, EMPTY_CARD), "authorize-3")
    # An error, or after a retry possibly the receipt.
    if (declined.get("decline") or declined).get("code") != "insufficient_funds":
        raise Trouble("The issuer should have declined this one for insufficient funds.")


def tell_history(client: Client, payment_id: str) -> None:
    chapter("The history of the first payment: every event, in order.")
    for event in client.ask(f"/payments/{payment_id}/events", ())["results"]:
        say(f"{event['at']}  {event['type']}")


def chapter(title: str) -> None:
    print(f"\n{paint(title, '1;36')}", flush=True)


def say(line: str) -> None:
    print(f"  {line}", flush=True)


def expect(receipt: Mapping[str, Any], state: str) -> None:
    """Raise Trouble unless the payment has this state."""
    if receipt.get("state") != state:
        found = receipt.get("state") or receipt.get("code")
        raise Trouble(f"The payment should be {state}, but is {found}. {receipt.get('next', '')}".strip())


def _api_key(environment: Environment) -> str:
    """The live key of the running instance. Raises Trouble if none runs."""
    if not Instance(environment.directory).is_up():
        raise Trouble("FicPay is not running. Start it with `make up` in another terminal.")
    try:
        return str(json.loads(environment.credentials.read_text())["live_api_key"])
    except (OSError, ValueError, KeyError):
        raise Trouble(
            f"There are no credentials in {environment.credentials}. `make up` creates them."
        ) from None


def _order(order_id: str, card: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "customer_id": "demo-customer",
        "amount": 5000,
        "currency": "USD",
        "card": dict(card),
    }


def _masked(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body as it may be shown, with only the last four digits of the card."""
    if "card" not in body:
        return dict(body)
    number = str(body["card"]["number"])
    return {**body, "card": {**body["card"], "number": "*" * (len(number) - 4) + number[-4:], "cvv": "***"}}


if __name__ == "__main__":
    main()
