"""Sending: what proves that nothing was sent, what leaves a doubt, and how long either may take."""

import logging
import os
import socket
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import structlog

from payments.banks.ficmart import FicmartBank
from payments.banks.guarded_http import Exchange
from payments.domain.replies import Approval, NotDone, NotSent, Reply, Silence
from payments.domain.states import OperationKind
from payments.domain.timing import Timing
from tests.banks.instructions import APPROVALS, CARD, CUT_OFF, CUT_SHORT, GAVE_UP, instruction, post, send
from tests.banks.raw_server import (
    SOON,
    Behaviour,
    Connection,
    RawServer,
    answers,
    port_nobody_listens_on,
    response,
    says,
    takes_slowly,
    together,
)

RIGHT = answers(200, APPROVALS[OperationKind.AUTHORIZE])
OK = b"HTTP/1.1 200 OK\r\n"
HEALTHY = answers(200, {"status": "healthy"})


def closes_at_once(connection: Connection) -> None:
    connection.socket.close()


def closes_after_reading(connection: Connection) -> None:
    connection.read_request()


def resets_after_reading(connection: Connection) -> None:
    connection.read_request()
    connection.reset()


def says_nothing(connection: Connection) -> None:
    connection.read_request()
    connection.wait_until_the_test_is_over()


def reads_nothing(connection: Connection) -> None:
    connection.wait_until_the_test_is_over()


def told_by(timing: Timing, *, closes_when_finished: bool = False) -> Callable[[Behaviour], Reply]:
    """What is read from a bank that behaves so."""

    def told(behaviour: Behaviour) -> Reply:
        with RawServer(behaviour) as server:
            return send(FicmartBank(server.url, timing, closes_when_finished=closes_when_finished))

    return told


def dribbles(data: bytes) -> Behaviour:
    def behave(connection: Connection) -> None:
        connection.read_request()
        connection.dribble(data, every=0.1)

    return behave


@pytest.fixture
def elapsed() -> Callable[[], float]:
    began = time.monotonic()
    return lambda: time.monotonic() - began


class TestNothingWasSent:
    def test_when_the_connection_is_refused(self, timing: Timing) -> None:
        with port_nobody_listens_on() as url:
            assert send(FicmartBank(url, timing)) == NotSent("connection failed")

    def test_when_the_name_is_unknown(self, timing: Timing) -> None:
        assert isinstance(send(FicmartBank("http://bank.invalid:8787", timing)), NotSent)

    def test_when_nobody_picks_up(self, timing: Timing, elapsed: Callable[[], float]) -> None:
        """A listener whose queue is full does not answer, like a host behind a firewall."""
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            address = full.getsockname()
            waiting = [socket.socket() for _ in range(4)]
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(address)
            reply = send(FicmartBank(f"http://127.0.0.1:{address[1]}", timing))
            for one in waiting:
                one.close()
        assert reply == NotSent("timeout")
        assert timing.connect <= elapsed() < SOON

    def test_when_the_address_makes_no_sense(self, timing: Timing) -> None:
        for url in ("", "localhost", "htp://localhost", "http://", "http://[", "http://a b"):
            assert isinstance(send(FicmartBank(url, timing)), NotSent), url

    def test_when_the_bank_speaks_no_tls(self, timing: Timing) -> None:
        def answers_plainly(connection: Connection) -> None:
            connection.socket.recv(65536)
            connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        with RawServer(answers_plainly) as server:
            assert isinstance(send(FicmartBank(server.url.replace("http", "https"), timing)), NotSent)

    def test_when_the_tls_handshake_dribbles(self, timing: Timing, elapsed: Callable[[], float]) -> None:
        def dribbles_a_handshake(connection: Connection) -> None:
            connection.socket.recv(65536)
            connection.dribble(b"\x16\x03\x03\x40\x00" + b"\x02" * 600, every=0.05)

        with RawServer(dribbles_a_handshake) as server:
            reply = send(FicmartBank(server.url.replace("http", "https"), timing))
        assert reply == NotSent("timeout")
        assert elapsed() < SOON


class TestADoubtIsLeft:
    CLOSED = {  # noqa: RUF012
        "after the request": (closes_after_reading, Silence("connection lost")),
        "with a reset": (resets_after_reading, CUT_OFF),
        "during the status": (says(b"HTTP/1.1 2"), CUT_OFF),
        "during the headers": (says(OK + b"Content-Le"), Silence("unreadable reply", 200)),
        "during an error's headers": (
            says(b"HTTP/1.1 400 Bad Request\r\nContent-Le"),
            Silence("unreadable error", 400),
        ),
        "after the headers": (says(OK + b"Content-Length: 100\r\n\r\n"), CUT_OFF),
        "during the body": (says(OK + b"Content-Length: 100\r\n\r\nabc"), CUT_OFF),
    }

    def test_when_the_bank_closes_the_connection(self, timing: Timing) -> None:
        for when, (behaviour, reply) in self.CLOSED.items():
            assert told_by(timing, closes_when_finished=True)(behaviour) == reply, when

    def test_that_whoever_stands_between_may_have_made_while_the_bank_works_on(self, timing: Timing) -> None:
        for behaviour in (
            *(closes_at_once, closes_after_reading, resets_after_reading),
            *(says(b"HTTP/1.1 2"), says(response(200, b"<html>")), says(response(408, b"<html>"))),
        ):
            reply = told_by(timing)(behaviour)
            assert isinstance(reply, Silence), reply
            assert not reply.is_over, reply

    def test_when_the_bank_says_nothing_or_not_all(
        self, timing: Timing, elapsed: Callable[[], float]
    ) -> None:
        def says_only_headers(connection: Connection) -> None:
            connection.read_request()
            connection.send(OK + b"Content-Length: 100\r\n\r\n")
            connection.wait_until_the_test_is_over()

        replies = together(told_by(timing), (says_nothing, reads_nothing, says_only_headers))
        assert replies == [GAVE_UP] * 3
        assert timing.read <= elapsed() < SOON

    def test_when_the_bank_dribbles_until_the_attempts_bound(
        self, timing: Timing, elapsed: Callable[[], float]
    ) -> None:
        in_the_headers = OK + b"X: y\r\n" * 100
        in_the_body = response(200, b" " * 500)
        before_the_reply = b"HTTP/1.1 100 Continue\r\n\r\n" * 50
        behaviours = map(dribbles, (in_the_headers, in_the_body, before_the_reply))
        assert together(told_by(timing), behaviours) == [CUT_SHORT] * 3
        assert timing.attempt <= elapsed() < SOON

    def test_when_nobody_knows_what_went_wrong(self, timing: Timing, monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(*_: Any) -> Reply:
            raise KeyError(CARD.number)

        monkeypatch.setattr("payments.banks.ficmart.read_reply", fails)
        with RawServer(RIGHT) as server, structlog.testing.capture_logs() as logs:
            assert isinstance(send(FicmartBank(server.url, timing)), Silence)
        assert logs == [{"event": "bank_call_failed_unexpectedly", "error": "KeyError", "log_level": "error"}]


class TestWhetherItMayBeSent:
    def test_is_asked_once_connected_and_before_the_first_byte(self, timing: Timing) -> None:
        seen: list[tuple[int, int]] = []
        with RawServer(RIGHT) as server:

            def may_send() -> bool:
                time.sleep(0.1)
                seen.append((server.connections, len(server.received)))
                return True

            reply = FicmartBank(server.url, timing).send(instruction(), card=CARD, may_send=may_send)
        assert isinstance(reply, Approval)
        assert seen == [(1, 0)]

    def test_if_not_no_byte_leaves(self, timing: Timing) -> None:
        read: list[bytes] = []

        def reads_everything(connection: Connection) -> None:
            read.append(connection.socket.recv(65536))

        with RawServer(reads_everything) as server:
            reply = FicmartBank(server.url, timing).send(instruction(), card=CARD, may_send=lambda: False)
            assert reply == NotSent("there was no room for an attempt")
            _until(lambda: read)
        assert read == [b""]  # connected, and closed without a byte

    def test_is_asked_for_each_attempt(self, timing: Timing) -> None:
        permissions = iter([True, False, True])
        with RawServer(RIGHT) as server:
            bank = FicmartBank(server.url, timing)
            replies = [
                bank.send(instruction(), card=CARD, may_send=lambda: next(permissions)) for _ in range(3)
            ]
            assert len(server.received) == 2
        assert [type(reply) for reply in replies] == [Approval, NotSent, Approval]

    def test_is_not_even_asked_when_nobody_picks_up(self, timing: Timing) -> None:
        with port_nobody_listens_on() as url:
            reply = FicmartBank(url, timing).send(instruction(), card=CARD, may_send=_never_asked)
        assert isinstance(reply, NotSent)

    def test_if_asking_fails_no_byte_leaves(self, timing: Timing) -> None:
        with RawServer(RIGHT) as server:
            reply = FicmartBank(server.url, timing).send(instruction(), card=CARD, may_send=_never_asked)
            assert server.received == []
        assert isinstance(reply, NotSent)

    def test_not_when_the_bound_would_cut_the_read_short(
        self, timing: Timing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Resolving a name has no timeout: when it took long, there is no time left to read the answer."""
        resolve = socket.getaddrinfo

        def slowly(*arguments: Any, **options: Any) -> Any:
            time.sleep(timing.attempt - timing.read + 0.1)
            return resolve(*arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", slowly)
        with RawServer(RIGHT) as server:
            assert send(FicmartBank(server.url, timing)) == NotSent("there was no room for an attempt")
            assert server.received == []

    def test_not_once_the_bound_is_reached(self, timing: Timing, monkeypatch: pytest.MonkeyPatch) -> None:
        resolve = socket.getaddrinfo

        def slowly(*arguments: Any, **options: Any) -> Any:
            time.sleep(timing.attempt + 0.2)
            return resolve(*arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", slowly)
        with RawServer(RIGHT) as server:
            assert isinstance(send(FicmartBank(server.url, timing)), NotSent)
            assert server.received == []


def _never_asked() -> bool:
    raise AssertionError("asked")


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestConnections:
    def test_each_attempt_has_its_own(self, timing: Timing) -> None:
        """Whether a connection kept alive is still good, nobody knows before a request is lost on it."""

        def keeps_alive(connection: Connection) -> None:
            while connection.read_request():
                connection.send(response(200, _RIGHT_BODY, headers=["Connection: keep-alive"]))

        with RawServer(keeps_alive) as server:
            bank = FicmartBank(server.url, timing)
            assert all(isinstance(send(bank), Approval) for _ in range(3))
            assert server.connections == 3
            assert all(b"\r\nConnection: close\r\n" in request for request in server.received)

    def test_closed_by_the_bank_between_attempts_cost_none(self, timing: Timing) -> None:
        with RawServer(RIGHT, closes_after_reading, RIGHT) as server:
            bank = FicmartBank(server.url, timing)
            replies = [send(bank) for _ in range(3)]
        assert [type(reply) for reply in replies] == [Approval, Silence, Approval]

    def test_are_closed_when_the_attempt_is_over(self, timing: Timing) -> None:
        files = Path("/proc/self/fd")
        if not files.exists():
            pytest.skip("no /proc here")
        with RawServer(RIGHT, closes_after_reading, dribbles(b"x" * 50), RIGHT) as server:
            bank = FicmartBank(server.url, timing)
            send(bank)
            before = len(os.listdir(files))  # noqa: PTH208
            for _ in range(5):
                send(bank)
            _until(lambda: len(os.listdir(files)) <= before + 1)  # noqa: PTH208

    def test_go_to_no_proxy_and_carry_no_netrc(
        self, timing: Timing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
        monkeypatch.setenv("NETRC", str(netrc))
        with RawServer(RIGHT) as proxy, RawServer(RIGHT) as server:
            for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
            monkeypatch.delenv("no_proxy", raising=False)
            assert isinstance(send(FicmartBank(server.url, timing)), Approval)
            assert proxy.connections == 0
        assert b"Authorization" not in server.received[0]

    def test_carry_nothing_from_one_answer_into_the_next_request(self, timing: Timing) -> None:
        cookie = answers(200, APPROVALS[OperationKind.AUTHORIZE], headers=["Set-Cookie: a=b; Path=/"])
        with RawServer(cookie) as server:
            bank = FicmartBank(server.url, timing)
            send(bank)
            send(bank)
        assert b"Cookie" not in server.received[1]


_RIGHT_BODY = b'{"authorization_id": "auth_1", "status": "approved", "amount": 5000, "currency": "USD", "expires_at": "2026-11-28T09:30:00Z"}'  # noqa: E501


class TestManyThreads:
    def test_each_get_the_answer_to_their_own_request(self, timing: Timing) -> None:
        def echoes(connection: Connection) -> None:
            amount = int(connection.read_request().rsplit(b'"amount": ', 1)[1].rstrip(b"}"))
            time.sleep((amount % 7) / 100)
            body = APPROVALS[OperationKind.AUTHORIZE] | {
                "amount": amount,
                "authorization_id": f"auth_{amount}",
            }
            answers(200, body)(_Heard(connection))

        with RawServer(echoes) as server, ThreadPoolExecutor(32) as threads:
            bank = FicmartBank(server.url, timing)
            replies = list(threads.map(lambda amount: send(bank, amount_minor=amount), range(1, 161)))
        assert [reply.reference for reply in replies if isinstance(reply, Approval)] == [
            f"auth_{amount}" for amount in range(1, 161)
        ]

    def test_do_not_cut_each_other_short(self, timing: Timing) -> None:
        """Half of them are cut at the bound, while the other half is answered all the time."""
        stop = threading.Event()
        replies: list[Reply] = []

        def asks(bank: FicmartBank) -> None:
            while not stop.is_set():
                replies.append(send(bank))

        with RawServer(dribbles(b"x" * 1000)) as slow, RawServer(RIGHT) as server:
            slow_bank, bank = FicmartBank(slow.url, timing), FicmartBank(server.url, timing)
            threads = [threading.Thread(target=asks, args=(bank,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            cut = together(lambda _: send(slow_bank), range(16))
            stop.set()
            for thread in threads:
                thread.join()
        assert {reply.reason for reply in cut if isinstance(reply, Silence)} == {
            "no reply within the bound of an attempt"
        }
        assert len(replies) > 50
        assert [reply for reply in replies if not isinstance(reply, Approval)] == []


class _Heard(Connection):
    """A connection whose request has been read already."""

    def __init__(self, connection: Connection) -> None:
        self.socket = connection.socket

    def read_request(self) -> bytes:
        return b""


class TestTheBoundOfAnExchange:
    def test_holds_where_the_bank_takes_the_request_slowly(
        self, timing: Timing, elapsed: Callable[[], float]
    ) -> None:
        with RawServer(takes_slowly) as server:
            reply = post(server.url, timing, b"x" * 20_000_000)
        assert reply == CUT_SHORT
        assert timing.attempt <= elapsed() < SOON

    def test_is_what_a_read_waits_for_that_could_wait_longer(self, elapsed: Callable[[], float]) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs, Exchange(0.2, patience=10) as exchange:
            exchange.begin(ours)
            with pytest.raises(TimeoutError):
                exchange.makefile("rb").read(1)
            assert 0.2 <= elapsed() < 10  # its patience

    def test_lets_no_byte_leave_once_it_is_reached(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            with Exchange(0, patience=10) as exchange:
                exchange.begin(ours)
                with pytest.raises(TimeoutError):
                    exchange.sendall(b"GET / HTTP/1.1")
            assert not exchange.sent
            assert theirs.recv(1) == b""  # closed with the exchange


class TestABankThatClosesBeforeTheRequestsEnd:
    def test_may_have_answered(self, timing: Timing) -> None:
        def answers_at_once(connection: Connection) -> None:
            connection.socket.recv(1000)
            connection.send(response(503, b""))

        with RawServer(answers_at_once) as server:
            reply = post(server.url, timing, b"x" * 20_000_000)
        assert reply == NotDone(503, "read")

    def test_may_be_working_on_it(self, timing: Timing) -> None:
        """After a reset has failed a write, a read says that the connection was closed in order."""

        def resets(connection: Connection) -> None:
            connection.socket.recv(1000)
            connection.reset()

        with RawServer(resets) as server:
            assert post(server.url, timing, b"x" * 20_000_000) == CUT_OFF


class TestHealth:
    def test_is_what_the_bank_says_of_itself(self, timing: Timing) -> None:
        with RawServer(HEALTHY) as server:
            assert FicmartBank(server.url, timing).is_healthy()
        assert server.received[0].startswith(b"GET /health HTTP/1.1\r\n")

    def test_is_bad_whatever_else_happens(self, timing: Timing, elapsed: Callable[[], float]) -> None:
        def is_healthy(behaviour: Behaviour) -> bool:
            with RawServer(behaviour) as server:
                return FicmartBank(server.url, timing).is_healthy()

        behaviours = (
            answers(503, {"status": "unhealthy"}),
            answers(503, {"status": "healthy"}),
            answers(200, {"status": "unhealthy"}),
            answers(200, {}),
            answers(200, []),
            answers(200, b"<html>Welcome to the hotel's network</html>"),
            answers(200, b""),
            answers(204, b""),
            answers(302, {"status": "healthy"}, headers=["Location: /"]),
            answers(500, b""),
            closes_at_once,
            says(b"junk"),
            says(OK + b"X: y\r\n" * 200),
            says_nothing,
            dribbles(response(200, b'{"status": "healthy"}')),
        )
        assert together(is_healthy, behaviours) == [False] * len(behaviours)
        assert elapsed() < SOON

    def test_is_bad_where_there_is_no_bank(self, timing: Timing) -> None:
        for url in ("http://", "htp://x", "http://bank.invalid", "http://["):
            assert not FicmartBank(url, timing).is_healthy(), url

    def test_is_bad_when_finding_the_bank_takes_too_long(
        self, timing: Timing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        resolve = socket.getaddrinfo

        def slowly(*arguments: Any, **options: Any) -> Any:
            time.sleep(timing.health + 0.1)
            return resolve(*arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", slowly)
        with RawServer(HEALTHY) as server:
            assert not FicmartBank(server.url, timing).is_healthy()


class TestTheCard:
    def test_is_in_no_reply_and_no_log(self, timing: Timing, caplog: pytest.LogCaptureFixture) -> None:
        behaviours = (
            closes_at_once,
            closes_after_reading,
            resets_after_reading,
            says_nothing,
            says(b"junk"),
            says(OK + b"X: y\r\n" * 200),
            says(OK + f" {CARD.number}\r\nthe cvv {CARD.cvv}\r\n\r\n".encode()),
            dribbles(b"x" * 100),
            answers(400, {"error": CARD.number, "message": f"{CARD.number} {CARD.cvv}"}),
            answers(400, f"cannot read {CARD.number}".encode()),
            answers(200, {"status": CARD.number, "authorization_id": CARD.number}),
            answers(200, APPROVALS[OperationKind.AUTHORIZE] | {"status": CARD.number}),
            answers(302, b"", headers=[f"Location: http://{CARD.number}/"]),
            RIGHT,
        )
        caplog.set_level(logging.DEBUG)
        with structlog.testing.capture_logs() as logs:
            replies = together(told_by(timing), behaviours)
        assert len(replies) == len(behaviours)
        # Without numbers: a record's times may have the CVV's four digits by chance.
        values = [value for record in caplog.records for value in vars(record).values()]
        known = [value for value in values if not isinstance(value, float)]
        told = f"{replies!r} {[str(reply) for reply in replies]} {logs} {caplog.text} {known}"
        assert CARD.number not in told
        assert CARD.cvv not in told

    def test_is_in_no_exception_where_one_is_raised_all_the_same(self, timing: Timing) -> None:
        """Only something that ends the thread itself gets through."""

        def interrupted() -> bool:
            raise KeyboardInterrupt

        with RawServer(RIGHT) as server, pytest.raises(KeyboardInterrupt) as caught:
            FicmartBank(server.url, timing).send(instruction(), card=CARD, may_send=interrupted)
        error: BaseException | None = caught.value
        while error is not None:
            printed = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
            assert CARD.number not in printed
            assert CARD.cvv not in printed
            error = error.__cause__ or error.__context__
