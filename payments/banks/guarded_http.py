"""HTTP in which the sender knows whether a byte has left, and for how long at most it will wait.

Two things the library below does not say or hold by itself: whether a failed request may have reached
the other side, and an upper bound on the whole exchange (its timeouts are per read, so a peer that
dribbles a byte a second is never late).

Each exchange has a connection of its own. One kept alive may be closed by the other side at the moment it
is used again, or have been dead for a while: then nobody knows whether the request was seen, and a moment's
saving has become a doubt about money. What a peer sent too much stays with the exchange it was sent in.
"""

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import RemoteDisconnected
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any, Self

import requests
import structlog
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as HTTPTimeout

from payments.domain.cards import Card
from payments.domain.replies import NotSent, Reply, Silence
from payments.domain.timing import Timing

log = structlog.get_logger("payments.banks")
_LARGEST_ANSWER = 64 * 1024
_current = threading.local()
# It quotes what it cannot parse: the other side's words, which may hold ours.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


class SendingForbidden(Exception):
    """When the connection stood, the caller was no longer allowed to send; nothing was sent."""


@dataclass
class Exchange:
    """One request and its answer on this thread: `with Exchange(...) as exchange: session.post(...)`."""

    seconds: float  # the bound on all of it
    may_send: Callable[[], bool]
    sent: bool = field(default=False, init=False)  # a byte of the request may have left this machine
    cut_short: bool = field(default=False, init=False)  # the bound was reached
    _socket: socket.socket | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __enter__(self) -> Self:
        _current.exchange = self
        self._timer = threading.Timer(self.seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = None
        _current.exchange = None

    def watch(self, connected: socket.socket) -> None:
        """Called with a new connection's socket, before any handshake: the bound holds from here on."""
        with self._lock:
            # A duplicate, since TLS wraps the socket and takes the original away. It is shut all the same.
            self._socket = connected.dup()
            if self.cut_short:
                self._shut()

    def permit(self) -> None:
        """Called by the connection before the request's first byte. Raises SendingForbidden."""
        with self._lock:
            if self.cut_short or not self.may_send():
                raise SendingForbidden
            self.sent = True

    def _cut(self) -> None:
        with self._lock:
            self.cut_short = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            # Closing alone would not wake a thread that is reading.
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def is_closed_in_order(error: BaseException | None) -> bool:
    """Whether the other side closed the connection after our request, without a byte of an answer."""
    while error is not None and not isinstance(error, RemoteDisconnected):
        error = error.__context__
    return error is not None


def _exchange() -> Exchange:
    exchange: Exchange = _current.exchange
    return exchange


class _AsksBeforeFirstByte:
    """Mixed into urllib3's connections: connect, ask, then send. Outside an Exchange they do not work."""

    sock: socket.socket | None
    connect: Callable[[], None]

    def _new_conn(self) -> socket.socket:
        connected: socket.socket = super()._new_conn()  # type: ignore[misc]
        _exchange().watch(connected)
        return connected

    def send(self, data: Any) -> None:
        if not _exchange().sent:
            if self.sock is None:
                self.connect()
            _exchange().permit()
        super().send(data)  # type: ignore[misc]


class _Connection(_AsksBeforeFirstByte, HTTPConnection):
    pass


class _SecureConnection(_AsksBeforeFirstByte, HTTPSConnection):
    pass


class _KeepsNoConnection:
    """Mixed into urllib3's pools: what is given back is closed, whatever the other side promised."""

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.close()
        super()._put_conn(conn)  # type: ignore[misc]


class _Pool(_KeepsNoConnection, HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(_KeepsNoConnection, HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _GuardedAdapter(HTTPAdapter):
    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: a redirect is an answer like any other. The library would read all of its body first."""


def guarded_session() -> requests.Session:
    """A session whose requests keep to the Exchange around them. One a thread; no retries of its own."""
    session = _Session()
    session.trust_env = False  # neither a proxy nor a .netrc of the machine comes between us and the bank
    session.headers.update({"Connection": "close", "Accept-Encoding": "identity"})
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # no answer colours the next request
    adapter = _GuardedAdapter(pool_connections=1, pool_maxsize=1, max_retries=0)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


@dataclass(frozen=True)
class Answered:
    """What came back: not read yet. The body is None where it is too long to be an answer."""

    status: int
    headers: Mapping[str, str]
    content: bytes | None


class Line:
    """One bank's address, called within its bounds. Safe to use from many threads: each has its own session.

    Nothing it raises, answers or logs holds what was sent.
    """

    def __init__(self, url: str, timing: Timing) -> None:
        self._url = url
        self._timing = timing
        self._threads = threading.local()

    def post(
        self,
        path: str,
        body: bytes,
        *,
        may_send: Callable[[], bool],
        read: Callable[[Answered], Reply],
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send JSON once and wait for the end, within `Timing.attempt` seconds. Raises nothing.

        `may_send` is asked after connecting and before the first byte; where it says no, nothing is sent.
        `read` puts an answer into our words.
        """
        exchange = Exchange(self._timing.attempt, self._with_time_to_read(may_send))
        try:
            with (
                exchange,
                self._session().post(
                    self._url + path,
                    data=body,
                    headers={"Content-Type": "application/json", **(headers or {})},
                    timeout=(self._timing.connect, self._timing.read),
                    allow_redirects=False,
                    stream=True,  # so that an endless answer is not read to its end
                ) as response,
            ):
                answered = Answered(response.status_code, response.headers, _body(response))
            return read(answered)
        except Exception as error:  # noqa: BLE001 - whatever it was, the bank may have been asked
            # The exception's text, and its request, may hold what was sent: only its kind is told.
            if not isinstance(error, SendingForbidden | requests.RequestException | HTTPError | OSError):
                log.error("bank_call_failed_unexpectedly", error=type(error).__name__)
            return _failure(error, exchange)

    def get(self, path: str, seconds: float) -> Answered | None:
        """A question that moves no money; None where no answer came."""
        try:
            with (
                Exchange(seconds, lambda: True),
                self._session().get(
                    self._url + path, timeout=seconds, allow_redirects=False, stream=True
                ) as response,
            ):
                return Answered(response.status_code, response.headers, _body(response))
        except Exception:  # noqa: BLE001 - whatever it was, the bank has not answered
            return None

    def _with_time_to_read(self, may_send: Callable[[], bool]) -> Callable[[], bool]:
        """Not asked either where finding and connecting took so long that the bound would cut the read."""
        last_start = time.monotonic() + self._timing.attempt - self._timing.read
        return lambda: time.monotonic() < last_start and may_send()

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = guarded_session()
        return session


def json_object(content: bytes | None) -> dict[str, Any] | None:
    """The object that a body holds, or None where it holds something else."""
    try:
        body = json.loads(content or b"")
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def holds_number(reference: str, card: Card) -> bool:
    """Whether what a bank calls its own reference is the number it was sent: that is none to keep."""
    return card.number in re.sub(r"\D", "", reference)


def _body(response: requests.Response) -> bytes | None:
    content: bytes = response.raw.read(_LARGEST_ANSWER + 1, decode_content=True)
    return content if len(content) <= _LARGEST_ANSWER else None


def _failure(error: Exception, exchange: Exchange) -> NotSent | Silence:
    if isinstance(error, SendingForbidden) and not exchange.cut_short:
        return NotSent("there was no room for an attempt")
    gave_up = exchange.cut_short or isinstance(error, requests.Timeout | TimeoutError | HTTPTimeout)
    if exchange.cut_short:
        reason = "no answer within the bound of an attempt"
    elif gave_up:
        reason = "timeout"
    else:
        reason = "connection lost" if exchange.sent else "connection failed"
    # Only a connection closed in order can prove that the bank's work is over. Our giving up does not, nor
    # does a reset: a process killed in its commit leaves the commit to its database.
    return Silence(reason, is_over=is_closed_in_order(error)) if exchange.sent else NotSent(reason)
