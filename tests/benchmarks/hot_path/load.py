"""Clients that ask one after the other, as a process: cheap, so that the gateway is what is measured.

`python -m tests.benchmarks.hot_path.load` reads a plan from standard input (see `Plan`) and prints what
came back as JSON (see `Report`).
"""

import asyncio
import json
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Plan:
    """`requests` are shared by all clients, who begin at once and end after `seconds` or the last one."""

    port: int
    clients: int
    seconds: float
    headers: dict[str, str]  # of every request
    requests: list[tuple[str, str, dict[str, Any] | None, str]]  # method, path, body, idempotency key


@dataclass
class Report:
    """What came back, and how long each took in seconds."""

    seconds: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)  # of the answers below 300


def _request(plan: Plan, method: str, path: str, body: dict[str, Any] | None, key: str) -> bytes:
    content = json.dumps(body).encode() if body is not None else b""
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{plan.port}"]
    lines += [f"{name}: {value}" for name, value in plan.headers.items()]
    if method == "POST":
        lines += [f"Idempotency-Key: {key}", "Content-Type: application/json"]
        lines += [f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


async def _client(plan: Plan, left: deque[bytes], end: float, report: Report) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", plan.port)
    while left and time.perf_counter() < end:
        request = left.popleft()
        began = time.perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        at = head.index("content-length:") + 15
        body = await reader.readexactly(int(head[at : head.index("\r\n", at)]))
        report.latencies.append(time.perf_counter() - began)
        status = head[9:12]
        report.statuses[status] = report.statuses.get(status, 0) + 1
        if status < "300":
            report.bodies.append(body)
    writer.close()


async def _run(plan: Plan) -> Report:
    report = Report()
    left = deque(_request(plan, *one) for one in plan.requests)
    began = time.perf_counter()
    await asyncio.gather(*(_client(plan, left, began + plan.seconds, report) for _ in range(plan.clients)))
    report.seconds = time.perf_counter() - began
    report.bodies = [json.loads(body) for body in report.bodies]
    return report


if __name__ == "__main__":
    json.dump(asdict(asyncio.run(_run(Plan(**json.load(sys.stdin))))), sys.stdout)
