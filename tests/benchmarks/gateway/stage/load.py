"""Clients of the gateway, as one process: cheap, because it shares the machine with what it measures.

`python -m tests.benchmarks.gateway.stage.load` reads a `Plan` as JSON from standard input and prints a
`Report` as JSON. All requests are encoded before the clock starts, and one thread serves all clients.
"""

import json
import random
import resource
import select
import socket
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

# Method, path, body, idempotency key.
Request = tuple[str, str, dict[str, Any] | None, str]
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass(frozen=True)
class Plan:
    """What is asked, by how many clients, for how long.

    Each client sends a request when it has the answer to its last one. With `per_second`, requests come
    at random moments at that rate instead, whether or not earlier ones are answered; the client that has
    waited longest sends the next one, and a latency counts from the moment the request was due.
    """

    port: int
    clients: int
    seconds: float
    key: str  # the API key of every request
    requests: list[Request]
    per_second: float = 0.0
    keep: bool = False  # the answers' bodies


@dataclass
class Report:
    """What came back."""

    seconds: float = 0.0  # until the last answer
    per_second: float = 0.0  # answers, without the first and the last tenth of them
    cpu: float = 0.0  # seconds of CPU that the clients themselves have used
    # The request's number in the plan, the status, seconds, and the body if kept.
    answers: list[tuple[int, int, float, str]] = field(default_factory=list)

    @property
    def statuses(self) -> dict[int, int]:
        counted: dict[int, int] = {}
        for _, status, _, _ in self.answers:
            counted[status] = counted.get(status, 0) + 1
        return counted

    def bodies(self) -> list[Any]:
        """Of the answers below 300."""
        return [json.loads(body) for _, status, _, body in self.answers if status < 300]


def encoded(plan: Plan, request: Request) -> bytes:
    method, path, body, key = request
    content = json.dumps(body).encode() if body is not None else b""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {plan.key}"]
    if method == "POST":
        lines += [f"Idempotency-Key: {key}", "Content-Type: application/json"]
        lines += [f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


class _Client:
    """One connection, kept alive, with one request at a time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self.number, self.began = 0, 0.0

    def send(self, number: int, request: bytes, began: float) -> None:
        self.number, self.began, self._received = number, began, b""
        self.socket.sendall(request)

    def receive(self) -> tuple[int, bytes] | None:
        """The status and the body, or None where a part is missing. Raises ConnectionError."""
        data = self.socket.recv(262_144)
        if not data:
            raise ConnectionError("The gateway hung up.")
        self._received += data
        end = self._received.find(_END_OF_HEAD)
        if end < 0:
            return None
        head = self._received[:end].lower() + b"\r"
        at = head.index(_LENGTH) + len(_LENGTH)
        body = self._received[end + 4 :]
        if len(body) < int(head[at : head.index(b"\r", at)]):
            return None
        return int(head[9:12]), body


class _Clients:
    """All of them, waiting for answers at once."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._left = deque(enumerate(encoded(plan, request) for request in plan.requests))
        self._due = self._arrivals()
        self._poll = select.epoll()
        self._busy: dict[int, _Client] = {}
        self._idle = deque(_Client(plan.port) for _ in range(plan.clients))
        for client in self._idle:
            self._poll.register(client.socket.fileno(), select.EPOLLIN)

    def _arrivals(self) -> deque[float]:
        """When requests are due, in seconds from the start; empty where clients set the pace."""
        at, due, chance = 0.0, deque[float](), random.Random(1)  # the same moments each time
        while self._plan.per_second and (at := at + chance.expovariate(self._plan.per_second)):
            if at > self._plan.seconds:
                break
            due.append(at)
        return due

    def run(self) -> Report:
        report = Report()
        came: list[float] = []
        used, began = time.process_time(), time.perf_counter()
        while True:
            now = time.perf_counter() - began
            self._send_what_is_due(now, began)
            if not self._busy and not self._goes_on(now):
                break
            for number, _ in self._poll.poll(self._pause(now)):
                client = self._busy[number]
                answer = client.receive()
                if answer is None:
                    continue
                at = time.perf_counter()
                status, body = answer
                came.append(at)
                kept = body.decode() if self._plan.keep else ""
                report.answers.append((client.number, status, at - client.began, kept))
                self._idle.append(self._busy.pop(number))
        report.seconds = time.perf_counter() - began
        report.per_second = _rate(came, report.seconds)
        report.cpu = time.process_time() - used
        return report

    def _goes_on(self, now: float) -> bool:
        has_more = bool(self._due) if self._plan.per_second else now < self._plan.seconds
        return has_more and bool(self._left)

    def _send_what_is_due(self, now: float, began: float) -> None:
        while self._idle and self._goes_on(now):
            due = now
            if self._plan.per_second:
                if self._due[0] > now:
                    return
                due = self._due.popleft()
            client = self._idle.popleft()
            self._busy[client.socket.fileno()] = client
            client.send(*self._left.popleft(), began + due)

    def _pause(self, now: float) -> float:
        return max(0.0, self._due[0] - now) if self._due and self._idle else 1.0


def _rate(came: list[float], seconds: float) -> float:
    """Answers a second while all clients were at work: at both ends only some of them are."""
    tenth = len(came) // 10
    if tenth < 2:
        return len(came) / seconds
    return (len(came) - 2 * tenth) / (came[-tenth] - came[tenth])


if __name__ == "__main__":
    # A client is a file; more than a thousand are asked for.
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    read = json.load(sys.stdin)
    json.dump(asdict(_Clients(Plan(**read)).run()), sys.stdout)
