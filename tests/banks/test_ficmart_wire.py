"""Bytes on a real socket: what is sent to FicMart's bank, and how its replies are read off the wire."""

import gzip
import json
from typing import Any

import pytest

from payments.banks.ficmart import FicmartBank
from payments.domain.replies import Approval, NotDone, Reply, Silence
from payments.domain.states import OperationKind
from payments.domain.timing import Timing
from tests.banks.instructions import APPROVALS, AUTHORIZATION, CARD, instruction, send
from tests.banks.raw_server import Connection, RawServer, answers, response, says

APPROVED = APPROVALS[OperationKind.AUTHORIZE]
RIGHT = json.dumps(APPROVED).encode()


@pytest.fixture
def timing() -> Timing:
    """Patient: here every reply comes, or the connection ends."""
    return Timing()


def reply_to(timing: Timing, raw: bytes) -> Reply:
    with RawServer(says(raw)) as server:
        return send(FicmartBank(server.url, timing, closes_when_finished=True))


class TestTheRequest:
    def test_is_the_contracts(self, timing: Timing) -> None:
        with RawServer(answers(200, APPROVED)) as server:
            send(FicmartBank(server.url, timing))
        (request,) = server.received
        head, _, sent = request.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0] == "POST /api/v1/authorizations HTTP/1.1"
        assert {"Content-Type: application/json", "Idempotency-Key: the-key"} <= set(lines)
        assert json.loads(sent) == {
            "card_number": CARD.number,
            "cvv": CARD.cvv,
            "expiry_month": 12,
            "expiry_year": 2030,
            "amount": 5000,
        }

    def test_keeps_the_path_of_the_banks_address(self, timing: Timing) -> None:
        with RawServer(answers(200, APPROVED)) as server:
            send(FicmartBank(f"{server.url}/behind/a/proxy", timing))
        assert server.received[0].startswith(b"POST /behind/a/proxy/api/v1/authorizations HTTP/1.1\r\n")

    def test_of_an_authorize_without_its_card_does_not_even_connect(self, timing: Timing) -> None:
        with RawServer(answers(200, {})) as server, pytest.raises(ValueError, match="needs the card"):
            FicmartBank(server.url, timing).send(instruction(), card=None, may_send=lambda: True)
        assert server.connections == 0


class TestAReply:
    def test_is_read_with_its_headers(self, timing: Timing) -> None:
        replayed = reply_to(timing, response(200, RIGHT, headers=["x-idempotent-replayed: TRUE"]))
        assert isinstance(replayed, Approval)
        assert replayed.replayed
        slow_down = response(429, b'{"error": "slow_down"}', headers=["retry-after:  12 "])
        assert reply_to(timing, slow_down) == NotDone(429, "slow_down", 12.0)
        odd = response(429, b'{"error": "slow_down"}', headers=["Retry-After: \u00b2"])
        assert reply_to(timing, odd) == NotDone(429, "slow_down", None)

    def test_without_a_body_is_read_by_its_status(self, timing: Timing) -> None:
        for status in (204, 304):
            assert reply_to(timing, response(status, b"")) == Silence("unexpected status", status)

    def test_in_chunks_is_read(self, timing: Timing) -> None:
        chunks = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (RIGHT[:50], RIGHT[50:]))
        raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        assert isinstance(reply_to(timing, raw), Approval)

    def test_after_a_100_is_waited_for(self, timing: Timing) -> None:
        raw = b"HTTP/1.1 100 Continue\r\n\r\n" + response(200, RIGHT)
        assert isinstance(reply_to(timing, raw), Approval)

    def test_that_is_a_second_one_is_not_taken_for_the_next(self, timing: Timing) -> None:
        other = json.dumps(APPROVED | {"authorization_id": "auth_of_nobody"}).encode()
        with RawServer(says(response(200, RIGHT) + response(200, other)), answers(200, RIGHT)) as server:
            bank = FicmartBank(server.url, timing)
            replies = [send(bank), send(bank)]
        assert [isinstance(reply, Approval) and reply.reference for reply in replies] == [AUTHORIZATION] * 2


class TestALongReply:
    def test_is_silence(self, timing: Timing) -> None:
        for body in (RIGHT + b" " * 70_000, b"a" * 10_000_000):
            assert reply_to(timing, response(200, body)) == Silence("unreadable reply", 200)

    def test_as_long_as_a_reply_may_be_is_read(self, timing: Timing) -> None:
        longest = RIGHT + b" " * (64 * 1024 - len(RIGHT))
        assert isinstance(reply_to(timing, response(200, longest)), Approval)
        assert isinstance(reply_to(timing, response(200, longest + b" ")), Silence)

    def test_that_unpacks_to_gigabytes_is_read_no_further_than_any_other(self, timing: Timing) -> None:
        bomb = gzip.compress(b"a" * 10_000_000)
        raw = response(200, bomb, headers=["Content-Encoding: gzip"])
        assert reply_to(timing, raw) == Silence("unreadable reply", 200)

    def test_is_not_read_to_its_end(self, timing: Timing) -> None:
        sent = 0

        def endless(connection: Connection) -> None:
            nonlocal sent
            connection.read_request()
            connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.send(b"a" * 65536)
                sent += 65536

        with RawServer(endless) as server:
            assert isinstance(send(FicmartBank(server.url, timing)), Silence)
        assert sent < 50_000_000


class TestARedirect:
    def test_is_not_followed(self, timing: Timing) -> None:
        for status in (301, 302, 303, 307, 308):
            with RawServer(answers(200, APPROVED)) as elsewhere:
                location = f"Location: {elsewhere.url}/api/v1/authorizations"
                reply = reply_to(timing, response(status, RIGHT, headers=[location]))
                assert elsewhere.connections == 0, status
            assert reply == Silence("unexpected status", status)

    def test_that_points_nowhere_is_silence(self, timing: Timing) -> None:
        for location in ("http://[", "http://a:b:c/", "//", "\u00ff", "x" * 5000):
            raw = b"HTTP/1.1 302 Found\r\nLocation: " + location.encode() + b"\r\nContent-Length: 0\r\n\r\n"
            assert reply_to(timing, raw) == Silence("unexpected status", 302), location

    def test_with_an_endless_body_is_not_read_to_its_end(self, timing: Timing) -> None:
        raw = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n" + b"a" * 30_000_000
        sent = []

        def endless(connection: Any) -> None:
            connection.read_request()
            connection.send(raw)
            sent.append(len(raw))

        with RawServer(endless) as server:
            bank = FicmartBank(server.url, timing, closes_when_finished=True)
            assert send(bank) == Silence("unexpected status", 302)
        assert sent == []


class TestNoise:
    CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    NOISES = {  # noqa: RUF012
        "empty lines": b"\r\n\r\n",
        "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
        "no status": b"HTTP/1.1 abc Huh\r\n\r\n",
        "200 headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        "a long header": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        "shorter than it says": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        "no length": b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n",
        "no chunk": CHUNKED + b"zz\r\n",
        "cut chunk": CHUNKED + b"ff\r\n" + RIGHT[:40],
        "right, and no last chunk": CHUNKED + f"{len(RIGHT):x}\r\n".encode() + RIGHT + b"\r\n",
        "right, and a byte is missing": response(200, RIGHT, length=len(RIGHT) + 1),
        "not gzip": response(200, b"junk", headers=["Content-Encoding: gzip"]),
        "zeros": b"\x00" * 1000,
        "bytes": b"\xff" * 100_000,
    }

    def test_is_silence_and_is_asked_once(self, timing: Timing) -> None:
        for what, raw in self.NOISES.items():
            with RawServer(says(raw)) as server:
                assert isinstance(send(FicmartBank(server.url, timing)), Silence), what
            assert len(server.received) == 1, what
