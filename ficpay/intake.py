"""Turns the web server's ASGI request into a WSGI request for Django, and refuses ambiguous requests.

WSGI hides what must be checked here: it joins repeated headers, takes `X_Forwarded_For` for
`X-Forwarded-For`, and takes an incomplete body for a shorter one. ASGI shows every header and every part of
the body. A request gets a thread only once its whole body has arrived, so slow clients do not block others.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from io import BytesIO
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication

from django.conf import settings

from ficpay import uploads

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[str, str]]

FAULT = "ficpay.fault"  # in the environ: why the request is refused as it is
# A slow phone sends 64 KiB in 3 s. The client itself gives up after 20.
BODY_SECONDS = 10
# If a client stops reading a download, its thread is freed after this time.
_READ_SECONDS = 60
# Responses up to this size are buffered, so that a slow client does not keep a thread. Only exports are
# larger: the largest file of our pages has 1.5 MB.
_LARGEST_BUFFERED = 4 * 1024 * 1024
# Headers that we read and that must not be lists (RFC 9110, 5.3). If one is repeated, its value is ambiguous.
_SINGLE_HEADERS = frozenset(
    b"authorization content-encoding content-length content-type host idempotency-key if-modified-since "
    b"origin referer user-agent x-csrftoken x-forwarded-host x-forwarded-proto x-request-id".split()
)


@dataclass(frozen=True)
class Fault:
    """Why a request is refused before it reaches a view."""

    code: str  # of `payments.domain.problems`
    detail: str
    next: str = ""  # what to do next; the code's own text if empty


@dataclass
class Body:
    """A request's body, complete unless there is a fault."""

    content: BinaryIO
    length: int = 0


_BROKEN = Fault("validation_error", "The body is incomplete: the connection was closed early.")
LATE = Fault("request_timeout", f"The body did not arrive within {BODY_SECONDS} s.")
_UPLOAD_LATE = Fault("request_timeout", f"The file did not arrive within {uploads.SECONDS} s.")
_TOO_LARGE = Fault("payload_too_large", "The file is too large for the page, or you are not signed in.")
_TOO_MANY = Fault("overloaded", "Too many files are being uploaded. Try again in a minute.")


class ClientGone(Exception):
    """The client has closed the connection or stopped reading."""


class Intake:
    """Serves a WSGI application over ASGI. The threads are started in the process that serves.

    `start` is called there, once, before the first request.
    """

    def __init__(self, application: WSGIApplication, start: Callable[[], None] = lambda: None) -> None:
        self._application = application
        self._start = start

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        self._start()
        return ThreadPoolExecutor(settings.REQUEST_THREADS, thread_name_prefix="request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, fault = await self._read(scope, receive)
        environ = environ_of(scope, body)
        fault = fault or _repeated_header(scope["headers"]) or _unclear_length(scope["headers"])
        if fault is not None:
            environ[FAULT] = fault
        loop, gone = asyncio.get_running_loop(), asyncio.ensure_future(receive())
        work = partial(self._answer, environ, partial(_send_from_thread, send, loop, gone))
        try:
            start, content = await loop.run_in_executor(self._threads, work)
        finally:
            gone.cancel()
            body.content.close()
        if fault is not None and scope["http_version"].startswith("1"):
            start["headers"].append((b"connection", b"close"))  # the rest of the body will not be read
        if content is not None:
            await send(start)
            await send({"type": "http.response.body", "body": content})

    async def _read(self, scope: Scope, receive: Receive) -> tuple[Body, Fault | None]:
        if not uploads.is_one(scope):
            return await _read_body(receive, Body(BytesIO()), settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        if uploads.turns.locked():
            return Body(BytesIO()), _TOO_MANY
        async with uploads.turns:
            loop = asyncio.get_running_loop()
            known = await loop.run_in_executor(self._threads, uploads.is_from_staff, scope["headers"])
            largest = uploads.largest() if known else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            body, fault = await _read_body(
                receive, Body(_on_disk()), largest, seconds=uploads.SECONDS, late=_UPLOAD_LATE
            )
        # A file that was cut off would pass for a shorter one.
        return body, fault or (_TOO_LARGE if body.length > largest else None)

    def _answer(
        self, environ: dict[str, Any], send: Callable[[dict[str, Any]], None]
    ) -> tuple[dict[str, Any], bytes | None]:
        """The response's start and its content. The content is None if it was too large and already sent."""
        start: dict[str, Any] = {"type": "http.response.start"}

        def start_response(status: str, headers: Headers, _error: Any = None) -> Callable[[bytes], Any]:
            start["status"] = int(status.partition(" ")[0])
            start["headers"] = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
            return _write

        chunks = self._application(environ, start_response)
        try:
            if _can_buffer(chunks, dict(start["headers"]).get(b"content-length", b"")):
                return start, b"".join(chunks)
            with suppress(ClientGone):
                send(start)
                for chunk in chunks:
                    send({"type": "http.response.body", "body": chunk, "more_body": True})
                send({"type": "http.response.body", "body": b""})
            return start, None
        finally:
            if close := getattr(chunks, "close", None):
                close()


def _can_buffer(response: Iterable[bytes], length: bytes) -> bool:
    if not getattr(response, "streaming", True):
        return True  # it is in memory already
    return length.isdigit() and int(length) <= _LARGEST_BUFFERED


def _write(_data: bytes) -> None:
    raise NotImplementedError("WSGI's write callable, which Django does not use")


def _send_from_thread(
    send: Send, loop: asyncio.AbstractEventLoop, gone: "asyncio.Future[Any]", message: dict[str, Any]
) -> None:
    """Send a part, and wait until the connection has accepted it. Raises ClientGone."""

    async def sent() -> None:
        await send(message)

    if gone.done():
        raise ClientGone
    try:
        asyncio.run_coroutine_threadsafe(sent(), loop).result(_READ_SECONDS)
    except TimeoutError:
        raise ClientGone from None


def _on_disk() -> BinaryIO:
    return cast(BinaryIO, TemporaryFile())


async def _read_body(
    receive: Receive, body: Body, largest: int, *, seconds: float | None = None, late: Fault = LATE
) -> tuple[Body, Fault | None]:
    """The body, up to one byte over the limit, which is enough to refuse it. Empty if it is not complete."""
    try:
        async with asyncio.timeout(seconds or BODY_SECONDS):
            more = True
            while more and body.length <= largest:
                message = await receive()
                if message["type"] != "http.request":
                    body.content.close()
                    return Body(BytesIO()), _BROKEN
                body.length += body.content.write(message.get("body", b"")[: largest + 1 - body.length])
                more = message.get("more_body", False)
    except TimeoutError:
        body.content.close()
        return Body(BytesIO()), late
    body.content.seek(0)
    return body, None


def _repeated_header(headers: Iterable[tuple[bytes, bytes]]) -> Fault | None:
    seen: set[bytes] = set()
    for name, _ in headers:
        if name in _SINGLE_HEADERS and name in seen:
            shown = "-".join(part.capitalize() for part in name.decode().split("-"))
            detail = f"The header {shown} must be sent only once."
            return Fault("validation_error", detail)
        seen.add(name)
    return None


def _unclear_length(headers: Iterable[tuple[bytes, bytes]]) -> Fault | None:
    """A fault if a proxy and the server could disagree about where the body ends (request smuggling)."""
    if {name for name, _ in headers} >= {b"content-length", b"transfer-encoding"}:
        return Fault("validation_error", "Content-Length and Transfer-Encoding must not be sent together.")
    return None


def environ_of(scope: Scope, body: Body) -> dict[str, Any]:
    """The request as a PEP 3333 environ, without headers that have an underscore in their names.

    In an environ, such a header would pass for the one with a dash, which a proxy may have set.
    """
    path, query = scope["raw_path"].partition(b"?")[0], scope["query_string"]
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_NAME": str(scope["server"][0]),
        "SERVER_PORT": str(scope["server"][1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": str(scope["client"][0]) if scope.get("client") else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body.content,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    values: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        if b"_" not in name:
            values.setdefault(name, []).append(value)
    for name, several in values.items():
        text = (b"; " if name == b"cookie" else b",").join(several).decode("latin-1")
        environ["HTTP_" + name.decode("latin-1").upper().replace("-", "_")] = text
    environ.pop("HTTP_TRANSFER_ENCODING", None)  # the body is complete by now
    environ.pop("HTTP_CONTENT_LENGTH", None)
    environ["CONTENT_LENGTH"] = str(body.length)
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    return environ
