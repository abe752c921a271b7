"""Sending over TLS: who is trusted, when the guard is asked, and that the bound holds there too."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from payments.banks import guarded_http
from payments.banks.ficmart import FicmartBank
from payments.domain.replies import Approval, NotSent, Reply
from payments.domain.states import OperationKind
from payments.domain.timing import Timing
from tests.banks.instructions import APPROVALS, CARD, CUT_SHORT, GAVE_UP, instruction, post, send
from tests.banks.raw_server import (
    SOON,
    Behaviour,
    Connection,
    RawServer,
    answers,
    response,
    takes_slowly,
    together,
)

RIGHT = answers(200, APPROVALS[OperationKind.AUTHORIZE])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    if not (openssl := shutil.which("openssl")):
        pytest.skip("no openssl here")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", path, "-days", "2"]
    name = ["-subj", "/CN=a bank", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = subprocess.run([openssl, "req", "-x509", *key, *name], capture_output=True, check=True, timeout=60)
    path.write_bytes(path.read_bytes() + made.stdout)
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module in ("payments.banks.guarded_http", "requests.adapters"):
        monkeypatch.setattr(f"{module}.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    guarded_http._trust.cache_clear()
    yield
    guarded_http._trust.cache_clear()


@pytest.mark.usefixtures("trusted")
class TestATrustedBank:
    def test_is_asked(self, timing: Timing, tls: ssl.SSLContext) -> None:
        with RawServer(RIGHT, tls=tls) as server:
            bank = FicmartBank(server.url, timing)
            assert all(isinstance(send(bank), Approval) for _ in range(3))
        assert len(server.received) == 3

    def test_is_asked_for_its_health(self, timing: Timing, tls: ssl.SSLContext) -> None:
        with RawServer(answers(200, {"status": "healthy"}), tls=tls) as server:
            assert FicmartBank(server.url, timing).is_healthy()

    def test_is_sent_no_byte_after_the_handshake_if_it_may_not_be_sent(
        self, timing: Timing, tls: ssl.SSLContext
    ) -> None:
        after_the_handshake: list[bytes] = []

        def reads(connection: Connection) -> None:
            after_the_handshake.append(connection.socket.recv(65536))

        with RawServer(reads, tls=tls) as server:
            reply = FicmartBank(server.url, timing).send(instruction(), card=CARD, may_send=lambda: False)
            assert reply == NotSent("there was no room for an attempt")
            _until(after_the_handshake)
        assert after_the_handshake == [b""]

    def test_of_another_name_is_not(self, timing: Timing, tls: ssl.SSLContext) -> None:
        with RawServer(RIGHT, tls=tls) as server:
            bank = FicmartBank(server.url.replace("127.0.0.1", "localhost"), timing)
            assert _not_even_permission_is_asked(bank)
            assert not bank.is_healthy()


class TestABankThatNobodyVouchesFor:
    def test_is_sent_nothing(self, timing: Timing, tls: ssl.SSLContext) -> None:
        with RawServer(RIGHT, tls=tls) as server:
            bank = FicmartBank(server.url, timing)
            assert _not_even_permission_is_asked(bank)
            assert not bank.is_healthy()
        assert server.received == []


@pytest.mark.usefixtures("trusted")
class TestTheBound:
    def test_holds_where_the_bank_dribbles(self, timing: Timing, tls: ssl.SSLContext) -> None:
        def dribbles(data: bytes) -> Behaviour:
            def behave(connection: Connection) -> None:
                connection.read_request()
                connection.dribble(data, every=0.1)

            return behave

        def told(data: bytes) -> tuple[Reply, bool]:
            with RawServer(dribbles(data), tls=tls) as server:
                bank = FicmartBank(server.url, timing)
                return send(bank), bank.is_healthy()

        began = time.monotonic()
        in_the_headers, in_the_body = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100, response(200, b" " * 500)
        assert together(told, (in_the_headers, in_the_body)) == [(CUT_SHORT, False)] * 2
        assert timing.attempt <= time.monotonic() - began < SOON

    def test_holds_where_the_name_was_slow_and_the_handshake_never_ends(
        self, timing: Timing, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        resolve = socket.getaddrinfo

        def slowly(*arguments: Any, **options: Any) -> Any:
            time.sleep(timing.health - 0.05)
            return resolve(*arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", slowly)
        with RawServer(lambda connection: connection.wait_until_the_test_is_over()) as server:
            began = time.monotonic()
            assert not FicmartBank(server.url.replace("http", "https"), timing).is_healthy()
            assert time.monotonic() - began < SOON

    def test_holds_where_a_single_record_dribbles(self, timing: Timing, tls: ssl.SSLContext) -> None:
        """Nothing of it can be read before its last byte has come."""

        def dribbles_a_record(connection: Connection) -> None:
            theirs, ours = ssl.MemoryBIO(), ssl.MemoryBIO()
            secured = tls.wrap_bio(theirs, ours, server_side=True)
            _shake_hands(secured, connection.socket, theirs, ours)
            connection.send(ours.read())
            secured.write(response(200, b" " * 500))
            connection.dribble(ours.read(), every=0.05)

        with RawServer(dribbles_a_record) as server:
            began = time.monotonic()
            reply = send(FicmartBank(server.url.replace("http", "https"), timing))
        assert reply == GAVE_UP
        assert time.monotonic() - began < SOON

    def test_holds_where_the_bank_takes_the_request_slowly(self, timing: Timing, tls: ssl.SSLContext) -> None:
        with RawServer(takes_slowly, tls=tls) as server:
            began = time.monotonic()
            reply = post(server.url, timing, b"x" * 20_000_000)
        assert reply in (CUT_SHORT, GAVE_UP)  # whether a write is one record or all of them is the library's
        assert time.monotonic() - began < SOON


def _shake_hands(
    secured: ssl.SSLObject, connected: socket.socket, theirs: ssl.MemoryBIO, ours: ssl.MemoryBIO
) -> None:
    while True:
        try:
            secured.do_handshake()
        except ssl.SSLWantReadError:
            connected.sendall(ours.read())
            theirs.write(connected.recv(65536))
        else:
            return


def _not_even_permission_is_asked(bank: FicmartBank) -> bool:
    asked: list[bool] = []

    def may_send() -> bool:
        asked.append(True)
        return True

    reply = bank.send(instruction(), card=CARD, may_send=may_send)
    return reply == NotSent("connection failed") and asked == []


def _until(heard: list[bytes]) -> None:
    deadline = time.monotonic() + 5
    while not heard:
        assert time.monotonic() < deadline
        time.sleep(0.01)
