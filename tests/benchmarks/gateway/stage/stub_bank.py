"""A bank that answers at once, as a process: `python -m tests.benchmarks.gateway.stage.stub_bank`.

It prints its port, keeps no books and says yes to everything, in the words of the bank's contract. It
costs so little that what is measured is the gateway. The last twelve digits of an authorization's id are
the microseconds that the bank took for it, in hexadecimal.

It reads commands from standard input, prints a line when one is carried out, and ends where the input
ends: `delay LOW HIGH` (seconds; each answer takes a random time between them), `silent` (requests are read
and not answered), `down` (connections are closed, those of before included), `well`.
"""

import asyncio
import json
import random
import resource
import sys
import time
import uuid

_USD = {"currency": "USD"}
_AT = "2026-01-01T00:00:00.000000Z"


class _Bank:
    """How it is at the moment."""

    def __init__(self) -> None:
        self.mode = "well"
        self.delay = (0.0, 0.0)
        self.waiting: set[asyncio.Transport] = set()

    def obey(self, command: str) -> None:
        word, *values = command.split()
        if word == "delay":
            self.delay = (float(values[0]), float(values[1]))
            return
        self.mode = word
        if word == "down":
            for transport in self.waiting:
                transport.close()
            self.waiting.clear()


def _answer(path: str, body: dict[str, object], began: float) -> dict[str, object]:
    made = str(uuid.uuid4())
    match path.rpartition("/")[2]:
        case "authorizations":
            took = int((time.perf_counter() - began) * 1e6)
            made = f"{made[:-12]}{took:012x}"
            made_of = {"authorization_id": f"auth_{made}", "status": "approved", "amount": body["amount"]}
            return {**_USD, **made_of, "expires_at": "2099-01-01T00:00:00.000000Z", "created_at": _AT}
        case "captures":
            return {**_USD, **body, "capture_id": f"cap_{made}", "status": "captured", "captured_at": _AT}
        case "refunds":
            return {**_USD, **body, "refund_id": f"ref_{made}", "status": "refunded", "refunded_at": _AT}
        case "voids":
            return {**body, "void_id": f"void_{made}", "status": "voided", "voided_at": _AT}
        case _:
            return {"status": "healthy"}


class _Connection(asyncio.Protocol):
    """Requests come whole or in parts, one after the other."""

    def __init__(self, bank: _Bank) -> None:
        self._bank = bank

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._buffer = transport, b""

    def connection_lost(self, exc: Exception | None) -> None:
        self._bank.waiting.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].decode("latin-1")
            length = next(
                (int(line[15:]) for line in head.split("\r\n") if line[:15].lower() == "content-length:"), 0
            )
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            self._asked(head.split(" ", 2)[1], json.loads(body) if body else {})

    def _asked(self, path: str, body: dict[str, object]) -> None:
        began = time.perf_counter()
        if self._bank.mode == "silent":
            self._bank.waiting.add(self._transport)
        elif self._bank.mode == "down":
            self._transport.close()
        elif pause := random.uniform(*self._bank.delay):
            asyncio.get_running_loop().call_later(pause, self._send, path, body, began)
        else:
            self._send(path, body, began)

    def _send(self, path: str, body: dict[str, object], began: float) -> None:
        if not self._transport.is_closing():
            answer = json.dumps(_answer(path, body, began)).encode()
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            self._transport.write(head % len(answer) + answer)


async def _serve() -> None:
    bank = _Bank()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(bank), "127.0.0.1", 0, backlog=2048)
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await commands.readline():
        bank.obey(line.decode())
        print(line.decode().strip(), flush=True)


if __name__ == "__main__":
    # A connection is a file; a thousand wait while it is silent.
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    asyncio.run(_serve())
