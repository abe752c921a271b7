"""What the demonstration does when the answer is none, against a gateway that follows a script."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from dev import demo
from dev.demo import Client, Trouble

CARD = {"number": "4111111111111111", "cvv": "987", "expiry_month": 12, "expiry_year": 2030}
ORDER = {"order_id": "1", "card": CARD}
AUTHORIZED = {"id": "pay_1", "state": "AUTHORIZED", "pending_operation": None}
IN_DOUBT = {"id": "pay_1", "state": "PENDING", "pending_operation": "authorize"}
NOT_EXECUTED = {"code": "bank_unavailable", "money_moved": "no"}


class Gateway(HTTPServer):
    """Answers one request after the other as the script says, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.script: list[tuple[int, dict[str, Any]]] = []
        self.asked: list[tuple[str, str]] = []

    def answers(self, *script: tuple[int, dict[str, Any]]) -> None:
        self.script = list(script)


class Answering(BaseHTTPRequestHandler):
    server: Gateway

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((f"{self.command} {self.path}", self.headers.get("Idempotency-Key", "")))
        status, body = self.server.script.pop(0)
        self.send_response(status)
        if status in {202, 409, 503}:
            self.send_header("Retry-After", "0.01")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as gateway:
        threading.Thread(target=gateway.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield gateway
        gateway.shutdown()


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    with Client(f"http://127.0.0.1:{gateway.server_port}", "sk_live_1", run="1") as client:
        yield client


class TestClient:
    def test_asks_again_with_the_same_key_when_nothing_was_executed(
        self, client: Client, gateway: Gateway
    ) -> None:
        gateway.answers((503, NOT_EXECUTED), (201, AUTHORIZED))
        assert client.instruct("/payments", ORDER, "a") == AUTHORIZED
        assert gateway.asked == [("POST /payments", "demo-1-a")] * 2

    def test_asks_again_with_the_same_key_when_in_doubt_or_unfinished(
        self, client: Client, gateway: Gateway
    ) -> None:
        unfinished = (409, {"code": "idempotency_key_in_use", "payment": IN_DOUBT})
        gateway.answers((202, IN_DOUBT), unfinished, (202, IN_DOUBT), (201, AUTHORIZED))
        assert client.instruct("/payments", ORDER, "a") == AUTHORIZED
        assert gateway.asked == [("POST /payments", "demo-1-a")] * 4

    def test_gives_up_with_a_plain_word(
        self, client: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(demo, "PATIENCE_SECONDS", 0)
        gateway.answers((202, IN_DOUBT))
        with pytest.raises(Trouble, match="Nothing is lost"):
            client.instruct("/payments", ORDER, "a")

    def test_prints_neither_card_number_nor_cvv(
        self, client: Client, gateway: Gateway, capsys: pytest.CaptureFixture[str]
    ) -> None:
        gateway.answers((201, AUTHORIZED))
        client.instruct("/payments", ORDER, "a")
        said = capsys.readouterr().out
        assert "************1111" in said
        assert CARD["number"] not in said
        assert CARD["cvv"] not in said
