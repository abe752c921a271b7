"""What only a real server can show: bodies as they come, headers as they were sent."""

import json
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from payments.models import IdempotencyKey, Payment
from tests.support.api_client import ApiClient, order
from tests.support.gateway_server import GatewayServer
from tests.support.simulated_bank import SimulatedBank

CHUNKED = b"Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def running(
    django_db_setup: None, bank_process: SimulatedBank, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayServer]:
    """One for all tests: none of them harms it, which the next one shows."""
    with GatewayServer(bank_process.url, tmp_path_factory.mktemp("server"), threads=8) as server:
        yield server


@pytest.fixture
def server(running: GatewayServer, live: ApiClient, bank: SimulatedBank) -> GatewayServer:
    """With a merchant and a bank in fair weather."""
    return running


def begin(
    server: GatewayServer, key: str, method: str, path: str, *headers: bytes, body: bytes = b""
) -> socket.socket:
    """A connection on which exactly these bytes have been sent."""
    lines = [
        f"{method} {path} HTTP/1.1".encode(),
        b"Host: localhost",
        b"Connection: close",
        f"Authorization: Bearer {key}".encode(),
        b"Content-Type: application/json",
        *headers,
    ]
    line = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    line.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
    return line


def send(
    server: GatewayServer, key: str, method: str, path: str, *headers: bytes, body: bytes = b""
) -> tuple[int, bytes]:
    """The answer's status and everything of it."""
    with begin(server, key, method, f"/api/v1{path}", *headers, body=body) as line:
        answer = b"".join(iter(lambda: line.recv(65_536), b""))
    return int(answer.split(b" ")[1]), answer


def of(body: bytes) -> bytes:
    return b"Content-Length: %d" % len(body)


def chunks(body: bytes, size: int) -> bytes:
    parts = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def over_http2(server: GatewayServer, path: str, headers: dict[str, str], body: bytes) -> bytes:
    """A POST over HTTP/2 that says no length (RFC 9113, RFC 7541); all that was answered."""

    def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload

    def literal(text: str) -> bytes:
        return bytes([len(text)]) + text.encode()

    pseudo = {":method": "POST", ":scheme": "http", ":authority": "localhost", ":path": path}
    block = b"".join(b"\0" + literal(name) + literal(value) for name, value in (pseudo | headers).items())
    request = frame(4, 0, 0, b"") + frame(1, 4, 1, block) + frame(0, 1, 1, body)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
        line.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + request)
        answer, ended = b"", False
        while not ended:
            head = line.recv(9, socket.MSG_WAITALL)
            size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            answer += line.recv(size, socket.MSG_WAITALL) if size else b""
            ended = kind in (3, 7) or (kind in (0, 1) and bool(flags & 1))
    return answer


class TestBodies:
    def test_in_chunks_are_read_like_any_other(self, live: ApiClient, server: GatewayServer) -> None:
        body = chunks(json.dumps(order(order_id="o-1")).encode(), 10)
        status, answer = send(
            server, live.key, "POST", "/payments", CHUNKED, b"Idempotency-Key: k-1", body=body
        )
        assert status == 201, answer
        payment = live.get("/orders/o-1").json["payment"]
        # An amount that is not read would be one that is not given: a capture in full.
        part = chunks(b'{"amount": 1}', 4)
        path = f"/payments/{payment['id']}/capture"
        status, answer = send(server, live.key, "POST", path, CHUNKED, b"Idempotency-Key: k-2", body=part)
        assert status == 422, answer

        large = chunks(b'{"reason":"' + b"r" * 200_000 + b'"}', 8192)
        status, answer = send(server, live.key, "POST", path, CHUNKED, b"Idempotency-Key: k-3", body=large)
        assert status == 413, answer

        # Nor is one that broke off an empty one.
        for broken in (b"zz\r\n", b"2\r\n{}\r\nzz\r\n"):
            status, answer = send(
                server, live.key, "POST", path, CHUNKED, b"Idempotency-Key: k-4", body=broken
            )
            assert (status, b"incomplete" in answer) == (400, True), answer
        assert live.receipt(payment["id"])["state"] == "AUTHORIZED"

    def test_over_http_2_are_read_without_a_length(self, live: ApiClient, server: GatewayServer) -> None:
        payment = live.authorized()
        headers = {
            "authorization": f"Bearer {live.key}",
            "content-type": "application/json",
            "idempotency-key": "k-1",
        }
        path = f"/api/v1/payments/{payment['id']}/capture"
        answer = over_http2(server, path, headers, b'{"amount": 1}')
        assert b'"amount_mismatch"' in answer, answer
        assert live.receipt(payment["id"])["state"] == "AUTHORIZED"
        assert b'"CAPTURED"' in over_http2(server, path, headers, b'{"amount": 5000}')

    def test_that_do_not_arrive_keep_nobody_waiting(self, live: ApiClient, server: GatewayServer) -> None:
        """More of them than threads, without a login, at every kind of address."""
        with ExitStack() as open_ones:
            for path in ("/api/v1/payments", "/admin/login/", "/health/live", "/nothing") * 10:
                for headers in ((b"Content-Length: 100",), (CHUNKED,)):
                    last = open_ones.enter_context(begin(server, "", "POST", path, *headers))
            assert requests.get(f"{server.url}/health/live", timeout=60).status_code == 200
            assert send(server, live.key, "GET", "/payments")[0] == 200
            assert not select.select([last], [], [], 0)[0]  # it was not its turn before these


class TestHeaders:
    def test_that_must_stand_once_are_refused_twice(
        self, live: ApiClient, server: GatewayServer, bank: SimulatedBank
    ) -> None:
        body = json.dumps(order()).encode()
        for twice in (
            (b"Idempotency-Key: a", b"Idempotency-Key: b"),
            (b"Idempotency-Key: a", b"idempotency-key: a"),
            (b"Idempotency-Key: a,b",),
            (b"Idempotency-Key: a", b"Authorization: Bearer sk_test_other"),
            (b"Idempotency-Key: a", b"Content-Type: application/json"),
            (b"Idempotency-Key: a", b"Content-Encoding: identity", b"Content-Encoding: identity"),
            (b"Idempotency-Key: a", b"Host: elsewhere"),
            (b"Idempotency-Key: a", b"X-Request-ID: a", b"X-Request-ID: b"),
            (b"Idempotency-Key: a", b"X-Forwarded-Proto: https", b"X-Forwarded-Proto: http"),
        ):
            status, answer = send(server, live.key, "POST", "/payments", *twice, of(body), body=body)
            assert (status, b"application/problem+json" in answer) == (400, True), answer
            assert b'"money_moved":"no"' in answer
        assert not Payment.objects.exists()
        # What may be a list is one.
        lists = (b"Accept: a/b", b"Accept: c/d", b"Cookie: a=b", b"Cookie: c=d", b"Via: 1.1 a", b"Via: 1.1 b")
        assert send(server, live.key, "GET", "/payments", *lists)[0] == 200

    def test_with_an_underscore_in_their_name_are_none(self, live: ApiClient, server: GatewayServer) -> None:
        body = json.dumps(order()).encode()
        status, answer = send(
            server, live.key, "POST", "/payments", b"Idempotency_Key: a", of(body), body=body
        )
        assert (status, b"idempotency_key_missing" in answer) == (400, True), answer
        both = (
            b"Idempotency-Key: a",
            b"Idempotency_Key: b",
            b"Content_Length: 2",
            b"Content_Type: text/plain",
        )
        assert send(server, live.key, "POST", "/payments", *both, of(body), body=body)[0] == 201
        assert IdempotencyKey.objects.get().key == "a"

    def test_bytes_that_are_no_text_break_nothing(self, live: ApiClient, server: GatewayServer) -> None:
        for header in (
            b"Idempotency-Key: \xff\xfe",
            b"X-Request-ID: \xff",
            b"Accept: \xff",
            b"User-Agent: \xff",
        ):
            assert send(server, live.key, "GET", "/payments", header)[0] == 200
        for key in (b"\xff", "schlüssel".encode(), "ключ".encode()):
            header = b"Idempotency-Key: " + key
            status, answer = send(server, live.key, "POST", "/payments", header, b"Content-Length: 0")
            assert (status, b"idempotency_key_invalid" in answer) == (400, True)
        assert send(server, "\xff", "GET", "/payments")[0] == 401
        for path in ("/payments/%ff", "/payments/%00", "/payments/a%0Ab", "/payments/%01/events", "/a%1Fb"):
            status, answer = send(server, live.key, "GET", path)
            assert (status, b'"not_found"' in answer) == (404, True), (path, answer)
        assert send(server, live.key, "GET", "/payments?order_id=%ff")[0] == 400
        assert send(server, live.key, "4111111111111111", "/payments")[0] == 405
        assert "4111111111111111" not in server.log
        assert "unforeseen_error" not in server.log


class TestNothingIsHtml:
    def test_whatever_is_wrong_with_a_request(self, live: ApiClient, server: GatewayServer) -> None:
        wrong: list[tuple[Any, ...]] = [
            ("POST", "/payments/", b"Content-Length: 0"),
            ("GET", "/payments", b"X-Large: " + b"x" * 500_000),
            ("GET", "/payments", *(b"X-%d: x" % number for number in range(300))),
            ("GET", "/" + "x" * 70_000),
            ("GET", "/a b"),
            ("GET", "/payments", b"bad header"),
            ("POST", "/payments", b"Content-Length: x"),
            ("GET", "/payments", b"Expect: nonsense"),
        ]
        for method, path, *headers in wrong:
            status, answer = send(server, live.key, method, path, *headers)
            assert b"<" not in answer, (status, path[:50], answer)
