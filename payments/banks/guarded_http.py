"""HTTP in which the sender knows whether a byte has left, and for how long at most it will wait.

Two things the library below does not say or hold by itself: whether a failed request may have reached
the other side, and an upper bound on the whole exchange (its timeouts are per read, so a peer that
dribbles a byte a second is never late).

Each exchange has a connection of its own. One kept alive may be closed by the other side at the moment it
is used again, or have been dead for a while: then nobody knows whether the request was seen, and a moment's
saving has become a doubt about money. What a peer sent too much stays with the exchange it was sent in.
"""

import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import RemoteDisconnected
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

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
