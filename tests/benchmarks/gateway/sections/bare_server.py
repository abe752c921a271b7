"""The least that an authorize takes in Python: granian, threads, psycopg and a socket, without Django.

It authenticates, reads the JSON, writes the intent, asks the bank, writes the outcome and answers, in
FicPay's own SQL and with as many round trips. It checks next to nothing and knows the ordinary case only.
"""

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from psycopg_pool import ConnectionPool

from tests.benchmarks.gateway.sections import parameters
from tests.benchmarks.gateway.sections.statements import read

READ_CALLER, AUTHORIZE, OUTCOME = read("read_caller"), read("authorize"), read("outcome")
BANK = urlsplit(os.environ["BANK_URL"])
_threads = ThreadPoolExecutor(int(os.environ["FICPAY_REQUEST_THREADS"]))
_pool = ConnectionPool(
    os.environ["DATABASE_URL"],
    min_size=int(os.environ["FICPAY_DB_POOL"]),
    max_size=int(os.environ["FICPAY_DB_POOL"]),
    kwargs={"autocommit": True, "prepare_threshold": 0},
    open=True,
)


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """For `granian --interface asginl`. Whatever is not an authorize is answered 200."""
    status, content = 200, b"{}"
    if scope["method"] == "POST":
        body = bytearray()
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        work = partial(_authorize, dict(scope["headers"]), bytes(body))
        status, content = await asyncio.get_running_loop().run_in_executor(_threads, work)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _authorize(headers: dict[bytes, bytes], body: bytes) -> tuple[int, bytes]:
    key = headers[b"idempotency-key"].decode()
    caller = _fetch(READ_CALLER, parameters.caller(headers[b"authorization"], key))
    if caller is None:
        return 401, b"{}"
    order = json.loads(body)
    card = order["card"]
    if not (isinstance(order["amount"], int) and order["currency"] == "USD" and card["number"].isdigit()):
        return 400, b"{}"
    asked = parameters.intent(caller, key, order)
    if _fetch(AUTHORIZE, asked) is None:
        return 409, b"{}"
    hold = _ask_bank(
        {"card_number": card["number"], "cvv": card["cvv"], "amount": order["amount"]}, asked["bank_key"]
    )
    receipt = parameters.receipt(asked, hold)
    row = _fetch(OUTCOME, parameters.outcome(asked, hold, receipt))
    return (201, receipt.replace(parameters.MARK, row[0].isoformat()).encode()) if row else (503, b"{}")


def _fetch(statement: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
    with _pool.connection() as connection:
        return connection.execute(statement, values).fetchone()


def _ask_bank(body: dict[str, Any], key: str) -> dict[str, Any]:
    """The bank's reply, over a connection of its own."""
    content = json.dumps(body).encode()
    head = (
        f"POST /api/v1/authorizations HTTP/1.1\r\nHost: {BANK.netloc}\r\nContent-Type: application/json\r\n"
        f"Idempotency-Key: {key}\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    with socket.create_connection((BANK.hostname or "", BANK.port or 80), timeout=35) as connection:
        connection.sendall(head.encode() + content)
        answer = b""
        while not answer.endswith(b"}"):  # nothing else in it does
            part = connection.recv(65_536)
            if not part:
                raise ConnectionError("The bank hung up.")
            answer += part
    hold: dict[str, Any] = json.loads(answer[answer.index(b"\r\n\r\n") + 4 :])
    return hold
