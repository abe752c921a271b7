"""What becomes of a request between the web server and Django, without either."""

import asyncio
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from ficpay import intake, uploads
from ficpay.intake import FAULT, Body, Intake, environ_of
from office.log.network import network_address

Message = dict[str, Any]
NOTHING = Body(BytesIO())


def scope(*headers: tuple[bytes, bytes], path: bytes = b"/") -> Message:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "raw_path": path,
        "query_string": b"",
        "server": ("127.0.0.1", "8000"),
        "client": ("10.0.0.1", "5000"),
        "headers": list(headers),
    }


def taken_in(
    parts: Iterable[Message | None], *headers: tuple[bytes, bytes], path: bytes = b"/"
) -> tuple[Message, list[Message]]:
    """The environ that a request becomes, and what is sent back; at None the client falls silent."""
    seen: Message = {}
    sent: list[Message] = []
    waiting = iter(parts)

    def application(environ: Message, start_response: Any) -> list[bytes]:
        seen.update(environ | {"wsgi.input": BytesIO(environ["wsgi.input"].read())})
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    async def receive() -> Message:
        part = next(waiting, None)
        if part is None:
            await asyncio.Event().wait()
            raise AssertionError
        return part

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Intake(application)(scope(*headers, path=path), receive, send))
    return seen, sent


def part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


class TestBodies:
    def test_with_two_lengths_are_refused(self) -> None:
        lengths = ((b"content-length", b"2"), (b"transfer-encoding", b"chunked"))
        environ, _ = taken_in([part(b"{}", more=False)], *lengths)
        assert environ[FAULT].code == "validation_error"

    def test_are_put_together(self) -> None:
        environ, _ = taken_in([part(b'{"a', more=True), part(b'":1}', more=False)])
        assert (environ["wsgi.input"].read(), environ["CONTENT_LENGTH"]) == (b'{"a":1}', "7")
        assert FAULT not in environ

    def test_that_do_not_arrive_in_time_are_a_408(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(intake, "BODY_SECONDS", 0.02)
        for parts in ([], [part(b"{", more=True)]):
            environ, sent = taken_in([*parts, None], (b"content-length", b"100"))
            assert environ[FAULT].code == "request_timeout"
            assert environ["wsgi.input"].read() == b""
            assert (b"connection", b"close") in sent[0]["headers"]

    def test_that_break_off_are_not_taken_for_shorter_ones(self) -> None:
        for parts in ([], [part(b"{}", more=True)]):
            environ, _ = taken_in([*parts, {"type": "http.disconnect"}])
            assert (environ[FAULT].code, environ["CONTENT_LENGTH"]) == ("validation_error", "0")

    def test_that_are_too_long_are_not_read_to_their_end(self, settings: Any) -> None:
        endless = iter(lambda: part(b"x" * 60_000, more=True), None)
        environ, _ = taken_in(endless)
        assert environ["CONTENT_LENGTH"] == str(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)


@pytest.mark.django_db(transaction=True)
class TestUploads:
    """At the one URL that takes a bank's statement."""

    UPLOAD = b"/admin/reconciliation/statementfile/upload/"

    def test_of_staff_may_be_large(self, signed_in: tuple[bytes, bytes]) -> None:
        parts = [part(b"x" * 60_000, more=number < 9) for number in range(10)]
        environ, _ = taken_in(parts, signed_in, path=self.UPLOAD)
        assert FAULT not in environ
        assert (environ["CONTENT_LENGTH"], len(environ["wsgi.input"].read())) == ("600000", 600_000)

    def test_of_others_are_refused_and_not_read_to_their_end(self, signed_in: tuple[bytes, bytes]) -> None:
        for headers in ([], [(b"cookie", b"sessionid=nobody")], [(b"cookie", b"\x00=;;")]):
            endless = iter(lambda: part(b"x" * 60_000, more=True), None)
            environ, _ = taken_in(endless, *headers, path=self.UPLOAD)
            assert environ[FAULT].code == "payload_too_large"
        elsewhere = iter(lambda: part(b"x" * 60_000, more=True), None)
        assert taken_in(elsewhere, signed_in, path=b"/admin/")[0]["CONTENT_LENGTH"] == "65537"

    def test_that_are_too_large_are_refused_rather_than_cut_off(
        self, signed_in: tuple[bytes, bytes], settings: Any
    ) -> None:
        settings.LARGEST_UPLOAD = 100_000
        endless = iter(lambda: part(b"x" * 60_000, more=True), None)
        environ, _ = taken_in(endless, signed_in, path=self.UPLOAD)
        assert environ[FAULT].code == "payload_too_large"

    def test_that_break_off_or_stall_leave_nothing(
        self, signed_in: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(uploads, "SECONDS", 0.02)
        for last, code in (({"type": "http.disconnect"}, "validation_error"), (None, "request_timeout")):
            environ, _ = taken_in([part(b"x", more=True), last], signed_in, path=self.UPLOAD)
            assert (environ[FAULT].code, environ["CONTENT_LENGTH"]) == (code, "0")

    def test_wait_for_no_turn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(uploads, "turns", asyncio.Semaphore(0))
        environ, _ = taken_in([part(b"x", more=False)], path=self.UPLOAD)
        assert environ[FAULT].code == "overloaded"

    @pytest.fixture
    def signed_in(self) -> tuple[bytes, bytes]:
        client = Client()
        client.force_login(User.objects.create_user("fin", is_staff=True))
        return b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode()


class TestHeaders:
    def test_with_an_underscore_do_not_pass_for_those_of_the_proxy(self, rf: Any, settings: Any) -> None:
        """Or whoever is locked out for wrong passwords would choose another address for each of them."""
        settings.BEHIND_PROXY = True
        for headers in (
            [(b"x-forwarded-for", b"10.1.1.1"), (b"x_forwarded_for", b"10.9.9.9")],
            [(b"x_forwarded_for", b"10.9.9.9"), (b"x-forwarded-for", b"10.1.1.1")],
        ):
            request = rf.get("/")
            request.META = environ_of(scope(*headers), NOTHING)
            assert network_address(request) == "10.1.1.1"
        assert "HTTP_X_FORWARDED_FOR" not in environ_of(scope((b"x_forwarded_for", b"10.9.9.9")), NOTHING)

    def test_that_are_lists_are_joined_as_such(self) -> None:
        headers = [(b"via", b"a"), (b"via", b"b"), (b"cookie", b"a=1"), (b"cookie", b"b=2")]
        environ = environ_of(scope(*headers), NOTHING)
        assert (environ["HTTP_VIA"], environ["HTTP_COOKIE"]) == ("a,b", "a=1; b=2")

    def test_none_comes_from_the_servers_own_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_X_FORWARDED_PROTO", "https")
        assert "HTTP_X_FORWARDED_PROTO" not in environ_of(scope(), NOTHING)

    def test_an_address_is_decoded_once(self) -> None:
        assert environ_of(scope(path=b"/a%252e/%ff?x"), NOTHING)["PATH_INFO"] == "/a%2e/\xff"
