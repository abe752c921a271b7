"""A bank that answers at once, as a process: `python -m tests.benchmarks.hot_path.stub_bank`.

It prints its port, keeps no books and says yes to everything, in the words of the bank's contract. It
costs so little that what is measured is the gateway. `--delay-ms MIN MAX` makes it as slow as a real one.
"""

import argparse
import asyncio
import json
import random
import uuid

_AMOUNT = {"currency": "USD"}


def _answer(path: str, body: dict[str, object]) -> dict[str, object]:
    made = str(uuid.uuid4())
    at = "2026-01-01T00:00:00.000000Z"
    kind = path.rpartition("/")[2]
    match kind:
        case "authorizations":
            made_of = {"authorization_id": f"auth_{made}", "status": "approved", "amount": body["amount"]}
            return {**_AMOUNT, **made_of, "expires_at": "2099-01-01T00:00:00.000000Z", "created_at": at}
        case "captures":
            return {**_AMOUNT, **body, "capture_id": f"cap_{made}", "status": "captured", "captured_at": at}
        case "refunds":
            return {**_AMOUNT, **body, "refund_id": f"ref_{made}", "status": "refunded", "refunded_at": at}
        case "voids":
            return {**body, "void_id": f"void_{made}", "status": "voided", "voided_at": at}
        case _:
            return {"status": "healthy"}


class StubBank(asyncio.Protocol):
    """One connection: requests come whole or in parts, one after the other."""

    delay: tuple[float, float] = (0.0, 0.0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._buffer = transport, b""

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
            answer = json.dumps(_answer(head.split(" ", 2)[1], json.loads(body) if body else {})).encode()
            whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            pause = random.uniform(*self.delay)
            if pause:
                asyncio.get_running_loop().call_later(pause, self._send, whole % (len(answer), answer))
            else:
                self._send(whole % (len(answer), answer))

    def _send(self, whole: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(whole)


async def _serve(delay: tuple[float, float]) -> None:
    StubBank.delay = delay
    server = await asyncio.get_running_loop().create_server(StubBank, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--delay-ms", nargs=2, type=float, default=(0, 0))
    low, high = options.parse_args().delay_ms
    asyncio.run(_serve((low / 1000, high / 1000)))
