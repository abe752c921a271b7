"""HTTP with two guarantees: the sender knows whether a byte has left, and the whole exchange is bounded.

urllib3 gives neither. It does not say whether a failed request may have reached the peer, and its timeouts
are per read, so a peer that dribbles a byte a second never times out. Here each read and write waits at most
for the time left of the exchange.

Each exchange has a connection of its own. A reused one may already be closed by the peer; then nobody knows
whether the request arrived, and a saved handshake has become a doubt about money. Surplus bytes of one reply
cannot be taken for the next.
"""

import io
import json
import logging
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial
from http.client import HTTPException, RemoteDisconnected
from typing import Any

import requests
import structlog
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import BaseHTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as HTTPTimeout
from urllib3.util import create_urllib3_context, parse_url

from payments.domain.cards import Card
from payments.domain.replies import NotSent, Reply, Silence
from payments.domain.timing import Timing

log = structlog.get_logger("payments.banks")
_LARGEST_REPLY = 64 * 1024
_HEADERS = {"Connection": "close", "Accept-Encoding": "identity"}
# It logs what it cannot parse: the peer's bytes, which may echo the card.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)
_address = cache(parse_url)


class SendingForbidden(Exception):
    """The caller was no longer allowed to send once the connection stood. Nothing was sent."""


class Exchange(io.RawIOBase):
    """One request and its reply. http.client reads and writes it in place of the connected socket.

    No read, write or TLS handshake waits longer than `patience`, nor past the deadline. Each address of the
    bank is tried for the connection's own timeout. DNS has only the resolver's timeouts: after a slow look-up
    `may_send` returns False or no time is left, and nothing is sent.
    """

    def __init__(self, seconds: float, patience: float, may_send: Callable[[], bool] = lambda: True) -> None:
        self.sent = False  # a byte of the request may have left this machine
        self.lost = False  # the connection broke before all of it had
        self.deadline = time.monotonic() + seconds
        self._patience = patience
        self._may_send = may_send
        self._socket: socket.socket | None = None

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()

    def close(self) -> None:
        """Do nothing: http.client calls it before it reads the response. `__exit__` closes the socket."""

    def watch(self, connected: socket.socket, patience: float) -> None:
        """Called with a new connection's socket, before any handshake: the bound holds from here on."""
        self._socket = connected
        connected.settimeout(min(patience, self._left()))

    def begin(self, connected: socket.socket) -> None:
        """Called once the connection stands. Raises SendingForbidden."""
        self._socket = connected
        if not self._may_send():
            raise SendingForbidden

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            connected = self._in_time()
            self.sent = True
            try:
                rest = rest[connected.send(rest) :]
            except (BrokenPipeError, ConnectionResetError):
                self.lost = True
                return  # a bank that closes before it has read everything may have replied

    def readinto(self, buffer: Any) -> int:
        return self._in_time().recv_into(buffer)

    def readable(self) -> bool:
        return True

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def settimeout(self, _seconds: float) -> None:
        """Do nothing: each read and write sets its own timeout."""

    def _in_time(self) -> socket.socket:
        """The socket, its timeout set to the time that is left."""
        assert self._socket is not None  # noqa: S101 - only a connection that stands reads and writes
        self._socket.settimeout(min(self._patience, self._left()))
        return self._socket

    def _left(self) -> float:
        """Seconds left of the exchange. Raises TimeoutError when there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _AsksBeforeFirstByte:
    """Mixed into urllib3's connections: connect, ask, then send and read through the exchange."""

    sock: Any
    timeout: Any

    def __init__(self, *arguments: Any, exchange: Exchange, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._exchange = exchange

    def _new_conn(self) -> socket.socket:
        connected: socket.socket = super()._new_conn()  # type: ignore[misc]
        self._exchange.watch(connected, self.timeout)
        return connected

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self._exchange.begin(self.sock)
        self.sock = self._exchange


class _Connection(_AsksBeforeFirstByte, HTTPConnection):
    pass


class _SecureConnection(_AsksBeforeFirstByte, HTTPSConnection):
    pass


_CONNECTIONS: dict[str | None, Any] = {"http": _Connection, "https": _SecureConnection}


@cache
def _trust() -> ssl.SSLContext:
    """The certificate authorities that requests trusts, read once."""
    context = create_urllib3_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


class _GuardedAdapter(HTTPAdapter):
    """requests for one exchange. Used without a session: no redirects, proxies, cookies or .netrc."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        super().__init__(pool_connections=1, pool_maxsize=1)

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*arguments, **options)
        pool.ConnectionCls = partial(_CONNECTIONS[pool.scheme], exchange=self._exchange)
        return pool


@dataclass(frozen=True)
class HttpReply:
    """The raw HTTP response of a bank. `content` is None where the body is too long."""

    status: int
    headers: Mapping[str, str]
    content: bytes | None


class Line:
    """Calls to one bank's address, within its time bounds. Thread-safe.

    No exception, reply or log line of it contains what was sent.
    """

    def __init__(self, url: str, timing: Timing) -> None:
        self._url = url
        self._timing = timing

    def post(
        self,
        path: str,
        body: bytes,
        *,
        may_send: Callable[[], bool],
        read: Callable[[HttpReply], Reply],
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send JSON once and wait for the end, at most `Timing.attempt` seconds. Never raises.

        `may_send` is called after connecting and before the first byte; if it returns False, nothing is sent.
        `read` turns the HTTP response into a reply.
        """
        timing = self._timing
        exchange = Exchange(timing.attempt, timing.read, self._with_time_to_read(may_send))
        try:
            with exchange, closing(self._connection(exchange)) as connection:
                connection.connect()
                connection.request(
                    "POST",
                    (_address(self._url).path or "") + path,
                    body,
                    {"Content-Type": "application/json", **_HEADERS, **(headers or {})},
                    preload_content=False,  # or an endless body would be read to its end
                )
                response = connection.getresponse()
                received = HttpReply(response.status, response.headers, _body(response))
            return read(received)
        except Exception as error:  # noqa: BLE001 - whatever it was, the bank may have been asked
            # Log only the exception's type: its text may contain what was sent.
            if not isinstance(error, SendingForbidden | HTTPError | HTTPException | OSError):
                log.error("bank_call_failed_unexpectedly", error=type(error).__name__)
            return _failure(error, exchange)

    def get(self, path: str, seconds: float) -> HttpReply | None:
        """A GET, which moves no money; None where no response came."""
        exchange = Exchange(seconds, seconds)
        try:
            question = requests.Request("GET", self._url + path, headers=_HEADERS).prepare()
            with (
                exchange,
                closing(_GuardedAdapter(exchange)) as adapter,
                adapter.send(question, stream=True, timeout=seconds) as response,
            ):
                return HttpReply(response.status_code, response.headers, _body(response.raw))
        except Exception:  # noqa: BLE001 - whatever it was, the bank has not replied
            return None

    def _connection(self, exchange: Exchange) -> HTTPConnection:
        address = _address(self._url)
        options: dict[str, Any] = {"ssl_context": _trust()} if address.scheme == "https" else {}
        connection: HTTPConnection = _CONNECTIONS[address.scheme](
            address.host, address.port, timeout=self._timing.connect, exchange=exchange, **options
        )
        return connection

    def _with_time_to_read(self, may_send: Callable[[], bool]) -> Callable[[], bool]:
        """`may_send`, and False where connecting took so long that the read would be cut short."""
        last_start = time.monotonic() + self._timing.attempt - self._timing.read
        return lambda: time.monotonic() < last_start and may_send()


def json_object(content: bytes | None) -> dict[str, Any] | None:
    """The body's JSON object, or None where it is something else."""
    try:
        body = json.loads(content or b"")
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def holds_number(reference: str, card: Card) -> bool:
    """Whether the bank's reference contains the card's number, so that it must not be stored."""
    return card.number in re.sub(r"\D", "", reference)


def _body(response: BaseHTTPResponse) -> bytes | None:
    content: bytes = response.read(_LARGEST_REPLY + 1, decode_content=True)
    return content if len(content) <= _LARGEST_REPLY else None


def _failure(error: Exception, exchange: Exchange) -> NotSent | Silence:
    if isinstance(error, SendingForbidden):
        return NotSent("there was no room for an attempt")
    # urllib3 calls a refused connection a timeout, too.
    if isinstance(error, TimeoutError | HTTPTimeout) and not isinstance(error, NewConnectionError):
        cut_short = time.monotonic() >= exchange.deadline
        reason = "no reply within the bound of an attempt" if cut_short else "timeout"
    else:
        reason = "connection lost" if exchange.sent else "connection failed"
    if not exchange.sent:
        return NotSent(reason)
    # Only an orderly close, after all was sent and before a byte came back, can prove that the bank's work is
    # over. Our own timeout does not, nor does a reset: the bank's process may have been killed while its
    # database commits.
    return Silence(reason, is_over=isinstance(error, RemoteDisconnected) and not exchange.lost)
