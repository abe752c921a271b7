"""The acquirer's wire as the contract's tests speak it: plain HTTP, patient with the weather."""

import uuid
from typing import Any

import requests

from tests.support.contract_suites import Caller

PATIENCE = 40
"""Even when 30 % of all requests fail, so many failures in a row mean a broken acquirer, not weather."""

STEM = "400000000000000"
CVV = "123"


def number_ending_in(digit: int) -> str:
    """A card number of 16 digits."""
    return f"{STEM}{digit}"


def payment(**changes: Any) -> dict[str, Any]:
    """A body that is authorized; a field changed to None is left out."""
    body = {
        "card_number": number_ending_in(1),
        "expiry_date": "04/2030",
        "currency": "USD",
        "amount": 100,
        "cvv": CVV,
    }
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def is_unavailable(response: requests.Response) -> bool:
    """503 with an empty body: nothing was executed, and it may be asked again."""
    return response.status_code == 503 and response.content == b""


def code(response: requests.Response) -> str:
    """The authorization code of an answer that says yes in the contract's form."""
    assert response.status_code == 200, response.text
    said = response.json()
    assert said == {"authorized": True, "authorization_code": said["authorization_code"]}
    assert str(uuid.UUID(said["authorization_code"])) == said["authorization_code"].lower()
    return str(said["authorization_code"])


def our_fault(response: requests.Response) -> str:
    """The message of a 400 in the contract's form."""
    assert response.status_code == 400, response.text
    said = response.json()
    assert set(said) == {"error_message"}
    assert isinstance(said["error_message"], str)
    return str(said["error_message"])


class Acquirer(Caller):
    """The acquirer under test."""

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request, whatever the weather does to it."""
        return self.http.request(method, self.url + path, timeout=20, allow_redirects=False, **options)

    def pay(self, **changes: Any) -> requests.Response:
        """One `POST /payments`, whatever the weather does to it."""
        return self.send("POST", "/payments", json=payment(**changes))

    def patiently(self, **options: Any) -> requests.Response:
        """`POST /payments`, sent again as long as the weather refuses it: nothing was executed then."""
        for _ in range(PATIENCE):
            response = self.send("POST", "/payments", **options)
            if not is_unavailable(response):
                return response
        raise AssertionError(f"{PATIENCE} times 503 in a row")

    def pay_patiently(self, **changes: Any) -> requests.Response:
        return self.patiently(json=payment(**changes))
