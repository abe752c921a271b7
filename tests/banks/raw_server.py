"""A bank made of a bare socket: it says byte for byte what a test tells it, however wrong.

    with RawServer(answer(200, {"amount": 5000})) as server:
        bank = FicmartBank(server.url, timing)
        ...
        assert server.received == [b"POST /api/v1/authorizations HTTP/1.1..."]

A behaviour is a function of one connection. Connections are served at the same time, each by a thread.
"""

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeVar

# Seconds. A bound of a second holds if a call that could last half a minute ends within this time.
SOON = 15
Case = TypeVar("Case")
Result = TypeVar("Result")


class Connection:
    """One accepted connection, from the server's side."""

    def __init__(self, accepted: socket.socket, received: list[bytes], ended: threading.Event) -> None:
        self.socket = accepted
        self._received = received
        self._ended = ended

    def read_request(self) -> bytes:
        """One request, headers and body, or what came of it before the other side closed."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := self.socket.recv(65536)):
                break
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            ),
            0,
        )
        while len(body) < length and (more := self.socket.recv(65536)):
            body += more
            data += more
        if data:
            self._received.append(data)
        return data

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def dribble(self, data: bytes, *, every: float) -> None:
        """Byte by byte, and for as long as the other side listens."""
        for byte in data:
            self.send(bytes([byte]))
            time.sleep(every)

    def reset(self) -> None:
        """Close with a RST, as a killed process or a firewall does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def wait_until_the_test_is_over(self) -> None:
        self._ended.wait(30)


Behaviour = Callable[[Connection], None]


class RawServer:
    """Listens on a free port and does the same, or the next of several behaviours, to each connection."""

    def __init__(self, *behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self._behaviours = list(behaviours)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self.received: list[bytes] = []
        self.connections = 0

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for accepted in self._open:
            accepted.close()

    def _listen(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.append(accepted)
                behave = self._behaviours[min(self.connections, len(self._behaviours) - 1)]
                self.connections += 1
            threading.Thread(target=self._serve, args=(accepted, behave), daemon=True).start()

    def _serve(self, accepted: socket.socket, behave: Behaviour) -> None:
        with suppress(OSError), self._secured(accepted) as secured:
            behave(Connection(secured, self.received, self._ended))

    def _secured(self, accepted: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(accepted, server_side=True) if self._tls else accepted


def response(status: int, body: bytes, *, headers: Iterable[str] = (), length: int | None = None) -> bytes:
    """An HTTP response, `length` bytes long if one believes it."""
    lines = [
        f"HTTP/1.1 {status} Whatever",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answers(status: int, body: Any, *, headers: Iterable[str] = ()) -> Behaviour:
    """Read the request and answer it. A body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return says(response(status, content, headers=headers))


def says(data: bytes) -> Behaviour:
    """Read the request, send these bytes, and close."""

    def behave(connection: Connection) -> None:
        connection.read_request()
        connection.send(data)

    return behave


def takes_slowly(connection: Connection) -> None:
    """Reads five megabytes a second, without an end and without an answer."""
    while all(connection.socket.recv(16 * 1024) for _ in range(16)):
        time.sleep(0.05)


@contextmanager
def port_nobody_listens_on() -> Iterator[str]:
    """A port that is bound, so that nobody else takes it, and not listened on: connections are refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def together(call: Callable[[Case], Result], cases: Iterable[Case]) -> list[Result]:
    """Make all calls at the same time, because each waits in vain."""
    cases = list(cases)
    with ThreadPoolExecutor(len(cases)) as threads:
        return list(threads.map(call, cases))
