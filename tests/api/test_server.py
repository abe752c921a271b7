"""What only a real server can show: bodies in chunks, and bytes that are no text."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_client import ApiClient, order
from tests.gateway_server import GatewayServer
from tests.simulated_bank import SimulatedBank


@pytest.fixture
def server(live: ApiClient, bank: SimulatedBank, tmp_path: Path) -> Iterator[GatewayServer]:
    with GatewayServer(bank.url, tmp_path) as server:
        yield server


def send(
    server: GatewayServer, key: str, method: str, path: str, *headers: bytes, body: bytes = b""
) -> tuple[int, bytes]:
    """Exactly these bytes; the answer's status and everything of it."""
    lines = [
        f"{method} /api/v1{path} HTTP/1.1".encode(),
        b"Host: localhost",
        b"Connection: close",
        f"Authorization: Bearer {key}".encode(),
        b"Content-Type: application/json",
        *headers,
    ]
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
        line.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        answer = b""
        while received := line.recv(65_536):
            answer += received
    return int(answer.split(b" ")[1]), answer


def chunks(body: bytes, size: int) -> bytes:
    parts = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


class TestServer:
    def test_a_body_in_chunks_is_read_like_any_other(self, live: ApiClient, server: GatewayServer) -> None:
        body = chunks(json.dumps(order(order_id="o-1")).encode(), 10)
        chunked = b"Transfer-Encoding: chunked"
        status, answer = send(
            server, live.key, "POST", "/payments", chunked, b"Idempotency-Key: k-1", body=body
        )
        assert status == 201, answer
        payment = live.get("/orders/o-1").json["payment"]
        # An amount that is not read would be one that is not given: a capture in full.
        part = chunks(b'{"amount": 1}', 4)
        path = f"/payments/{payment['id']}/capture"
        status, answer = send(server, live.key, "POST", path, chunked, b"Idempotency-Key: k-2", body=part)
        assert status == 422, answer
        assert live.receipt(payment["id"])["state"] == "AUTHORIZED"

        large = chunks(b'{"reason":"' + b"r" * 200_000 + b'"}', 8192)
        status, answer = send(server, live.key, "POST", path, chunked, b"Idempotency-Key: k-3", body=large)
        assert status == 413, answer

    def test_bytes_that_are_no_text_break_nothing(self, live: ApiClient, server: GatewayServer) -> None:
        for header in (
            b"Idempotency-Key: \xff\xfe",
            b"X-Request-ID: \xff",
            b"Accept: \xff",
            b"User-Agent: \xff",
        ):
            assert send(server, live.key, "GET", "/payments", header)[0] == 200
        status, answer = send(
            server, live.key, "POST", "/payments", b"Idempotency-Key: \xff", b"Content-Length: 0"
        )
        assert (status, b"idempotency_key" in answer) == (400, True)
        assert send(server, "\xff", "GET", "/payments")[0] == 401
        assert send(server, live.key, "GET", "/payments/%ff")[0] == 404
        assert send(server, live.key, "GET", "/payments?order_id=%ff")[0] == 400
        assert send(server, live.key, "4111111111111111", "/payments")[0] == 405
        assert "4111111111111111" not in server.log
        assert "unforeseen_error" not in server.log
