"""Card numbers and CVVs exist in memory only: after the nastiest inputs, a search of everything finds none.

Everything: the whole database, PostgreSQL's own log, the gateway's and the bank's logs, and every byte
that was answered. The number is marked by its digits, the CVV by its digits bounded by others.
"""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from django.contrib.auth.models import User
from django.db import connection

from tests.settings import POSTGRES
from tests.support.api_client import ApiClient, order
from tests.support.database_away import database_away
from tests.support.gateway_server import GatewayServer
from tests.support.simulated_bank import SimulatedBank

NUMBER = "4916338506082832"  # Luhn-valid, and nobody's
CVV = "8642"
MARKED = {"number": NUMBER, "cvv": CVV, "expiry_month": 12, "expiry_year": 2030}
_NUMBER = re.compile(r"[ .\-_/]?".join(NUMBER))
# Between letters it is part of an id's hexadecimal digits.
_CVV = re.compile(rf"(?<![0-9A-Za-z]){CVV}(?![0-9A-Za-z])")
GROUPED = " ".join(NUMBER[start : start + 4] for start in range(0, 16, 4))


class Hostile:
    """A client that puts the card everywhere, and keeps every answer it gets."""

    def __init__(self, server: GatewayServer, key: str) -> None:
        self.answers: list[str] = []
        self._url = server.url
        self._key = key

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> None:
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        sent = {
            "Authorization": f"Bearer {self._key}",
            "Idempotency-Key": uuid.uuid4().hex,
            "Content-Type": "application/json",
            "Accept": "text/html",
            **headers,
        }
        response = requests.request(
            method, self._url + path, data=content, headers=sent, timeout=60, allow_redirects=False
        )
        assert response.status_code < 500 or response.status_code in (500, 503)
        self.answers.append(f"{response.status_code} {dict(response.headers)} {response.text}")


@pytest.fixture(params=["false", "true"], ids=["production", "debug"])
def server(request: Any, bank: SimulatedBank, live: ApiClient, tmp_path: Path) -> Iterator[GatewayServer]:
    connection.close()
    environment = {
        "DJANGO_DEBUG": request.param,
        "FICPAY_LOG_LEVEL": "DEBUG",
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
    }
    with GatewayServer(bank.url, tmp_path, environment=environment) as running:
        yield running


class TestCardsAreKeptNowhere:
    def test_after_the_nastiest_inputs(
        self, server: GatewayServer, bank: SimulatedBank, live: ApiClient
    ) -> None:
        _begin_ids_beyond_four_digits()
        before = _tables()
        hostile = Hostile(server, live.key)
        self._honest_payments(hostile, bank)
        self._cards_where_they_do_not_belong(hostile)
        self._broken_bodies(hostile)
        self._errors_of_ours(hostile)
        self._at_the_admin(server, hostile)
        server.stop()

        places = {
            "the answers": "\n".join(hostile.answers),
            "the gateway's log": server.log,
            "the bank's log": bank.log,
            "PostgreSQL's log": POSTGRES.log.read_text(errors="replace"),
            **{table: _without(before[table], text) for table, text in _tables().items()},
        }
        assert places["table payments_payment"].count("\n") > 5
        assert len(places) > 20
        assert server.log.count('"request"') > 30 or server.log.count("request ") > 30
        for place, text in places.items():
            assert not _NUMBER.search(text), (place, _around(_NUMBER, text))
            assert not _CVV.search(text), (place, _around(_CVV, text))

    def _honest_payments(self, hostile: Hostile, bank: SimulatedBank) -> None:
        """Declined as unknown, in doubt, garbage, and with our database gone in the middle."""
        hostile.send("POST", "/api/v1/payments", order(card=MARKED))
        for step in ("fail_before", "drop_before", "drop_after", "garbage", "database_down"):
            bank.script("authorizations", step, times=1)  # type: ignore[arg-type]
            hostile.send("POST", "/api/v1/payments", order(card=MARKED))
        bank.script(
            "authorizations", "fail_before", status=400, code="invalid_card", message=f"{NUMBER} cvv {CVV}"
        )
        hostile.send("POST", "/api/v1/payments", order(card=MARKED))
        bank.script("authorizations", "garbage", status=200, body=json.dumps({"card": NUMBER, "cvv": CVV}))
        hostile.send("POST", "/api/v1/payments", order(card=MARKED))
        bank.script("authorizations", "fail_before", status=409, code=f"declined_{NUMBER}")
        hostile.send("POST", "/api/v1/payments", order(card=MARKED))
        key = uuid.uuid4().hex
        body = order(card=MARKED)
        for _ in range(2):
            hostile.send("POST", "/api/v1/payments", body, **{"Idempotency-Key": key})

    def _cards_where_they_do_not_belong(self, hostile: Hostile) -> None:
        for number in (NUMBER, GROUPED, GROUPED.replace(" ", "-"), f"x{NUMBER}y"):
            for field in ("order_id", "customer_id", "description", "customer_email", "currency", number):
                hostile.send("POST", "/api/v1/payments", order(card=MARKED) | {field: number})
            hostile.send(
                "POST", "/api/v1/payments", order(card=MARKED, metadata={number: number, "cvv": number})
            )
            hostile.send("POST", "/api/v1/payments", order(card=MARKED | {number: CVV, "cvc": CVV}))
            hostile.send("POST", "/api/v1/payments", order(card=MARKED), **{"Idempotency-Key": number})
            for card in (MARKED, number):
                hostile.send("POST", "/api/v1/payments", order(card=card), **{"X-Request-ID": number})
            hostile.send("GET", "/api/v1/payments", Authorization=f"Bearer {number}")
            hostile.send("GET", "/api/v1/payments", **{"User-Agent": number, "Via": number})
            hostile.send("GET", f"/api/v1/payments/{quote(number)}", Referer=f"http://x/?card={number}")
            hostile.send("GET", f"/api/v1/orders/{quote(number)}", Cookie=f"card={quote(number)}")
            hostile.send("GET", f"/api/v1/customers/{quote(number)}/payments")
            for name in ("order_id", "customer_id", "state", "created_from", "cursor", "page_size", "x"):
                hostile.send("GET", f"/api/v1/payments?{name}={quote(number)}")
            hostile.send("GET", f"/{quote(number)}?cvv={CVV}&card={quote(number)}")
            hostile.send("GET", f"/api/{quote(number)}")
            hostile.send("GET", f"/admin/login/?next={quote(quote(quote(number)))}")
            hostile.send("DELETE", f"/api/v1/payments/{quote(number)}/capture")
            hostile.send("GET", "/", Host=quote(number))

    def _broken_bodies(self, hostile: Hostile) -> None:
        whole = json.dumps(order(card=MARKED)).encode()
        for body in (
            whole[:-2],
            whole + b"}",
            b"\xff" + whole,
            whole.replace(b'"cvv"', b'"cvv": "1", "cvv"'),
            json.dumps([order(card=MARKED)]).encode(),
            json.dumps(NUMBER).encode(),
            json.dumps(order(card=MARKED, amount=int(NUMBER))).encode(),
            json.dumps(order(card=MARKED | {"number": int(NUMBER), "cvv": int(CVV)})).encode(),
            json.dumps(order(card=MARKED | {"number": NUMBER + "7", "cvv": CVV + "1"})).encode(),
            json.dumps(order(card=MARKED | {"expiry_year": int(NUMBER), "expiry_month": CVV})).encode(),
            json.dumps(order(card=[MARKED])).encode(),
            json.dumps(order(card=MARKED, metadata=MARKED)).encode(),
            json.dumps({NUMBER: {CVV: NUMBER}}).encode(),
            whole + b" " * 70_000,
        ):
            hostile.send("POST", "/api/v1/payments", body)
            hostile.send("POST", "/api/v1/payments", body, **{"Content-Type": "text/plain"})
            hostile.send("POST", f"/api/v1/payments/pay_{'0' * 32}/capture", body)
            hostile.send(
                "POST", "/admin/login/", body, **{"Content-Type": "application/x-www-form-urlencoded"}
            )

    def _errors_of_ours(self, hostile: Hostile) -> None:
        """A defect below the views, and a database that is away."""
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE payments_payment RENAME COLUMN metadata TO mislaid")
        try:
            hostile.send("POST", "/api/v1/payments", order(card=MARKED))
            hostile.send("GET", f"/api/v1/orders/o-1?card={NUMBER}")
            hostile.send("POST", f"/api/v1/payments/pay_{'0' * 32}/capture?card={NUMBER}", {"reason": NUMBER})
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE payments_payment RENAME COLUMN mislaid TO metadata")
        with database_away():
            hostile.send("POST", "/api/v1/payments", order(card=MARKED))
            hostile.send("GET", f"/health/ready?card={NUMBER}")
            hostile.send("GET", f"/admin/login/?next={NUMBER}", Cookie=f"sessionid={NUMBER}")

    def _at_the_admin(self, server: GatewayServer, hostile: Hostile) -> None:
        User.objects.create_superuser("sleuth", password="of-the-tests-1")
        connection.close()
        session = requests.Session()
        session.headers["Connection"] = "close"  # one that idles meanwhile may be closed by the server
        page = session.get(f"{server.url}/admin/login/", timeout=30)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token
        form = {"username": "sleuth", "password": "of-the-tests-1", "csrfmiddlewaretoken": token[1]}
        for login in (form | {"username": NUMBER, "password": CVV}, form):
            answer = session.post(
                f"{server.url}/admin/login/", data=login, headers={"Referer": server.url}, timeout=30
            )
        for number in (NUMBER, GROUPED):
            answer = session.get(f"{server.url}/admin/payments/payment/?q={quote(number)}", timeout=30)
            hostile.answers.append(f"{answer.status_code} {answer.headers} {answer.text}")
            answer = session.get(f"{server.url}/admin/payments/payment/{quote(number)}/change/", timeout=30)
            hostile.answers.append(f"{answer.status_code} {answer.headers} {answer.text}")


def _tables() -> dict[str, str]:
    """Every row of every table, as text."""
    tables = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            tables[f"table {table}"] = "\n".join(row[0] for row in cursor.fetchall())
    return tables


def _without(before: str, after: str) -> str:
    """The rows that are new."""
    known = set(before.splitlines())
    return "\n".join(row for row in after.splitlines() if row not in known)


def _begin_ids_beyond_four_digits() -> None:
    """So that none of them is taken for the CVV."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT schemaname || '.' || sequencename FROM pg_sequences")
        for (sequence,) in cursor.fetchall():
            cursor.execute("SELECT setval(%s::regclass, 100000000)", [sequence])
    connection.close()


def _around(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    assert found
    return text[max(0, found.start() - 300) : found.end() + 100]
