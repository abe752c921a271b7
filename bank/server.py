"""The bank over HTTP: which path leads where, what a hang-up does, and how an answer leaves the house."""

import asyncio
import errno
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from bank import control
from bank.answers import Answer, failure
from bank.clock import SECOND
from bank.entries import Kind
from bank.instructions import Unreadable
from bank.journal import Journal, Visit
from bank.plans import Plan, Script
from bank.settings import Settings
from bank.teller import Teller

log = logging.getLogger("bank")

ANSWERING_TIME_NS = 15 * SECOND
"""After this the bank can no longer answer: it goes on executing, then closes the connection."""

LONGEST_BODY = 1024 * 1024
READS = {
    "authorizations": ("auth_", Kind.HOLD),
    "captures": ("cap_", Kind.CAPTURE),
    "refunds": ("ref_", Kind.REFUND),
}
Work = Callable[[Plan], Awaitable[Answer]]


class CannotListen(Exception):
    """The address cannot be bound. The message says which and why."""


class Server:
    """One bank with its journal and its script."""

    def __init__(self, settings: Settings) -> None:
        self.teller = Teller(settings)
        self.journal = Journal()
        self.script = Script()
        self._under_way: set[asyncio.Task[web.StreamResponse | None]] = set()

    def application(self, *, with_control: bool) -> web.Application:
        app = web.Application(client_max_size=LONGEST_BODY)
        for endpoint, instruction in self.teller.instructions.items():
            app.router.add_post(instruction.path, self._instruction(endpoint))
        for endpoint, (prefix, kind) in READS.items():
            app.router.add_get(
                f"/api/v1/{endpoint}/{{reference}}", self._read(prefix, kind), allow_head=False
            )
        app.router.add_get("/health", self._health, allow_head=False)
        if with_control:
            control.add_routes(app, self)
        app.router.add_route("*", "/{anything:.*}", self._unknown_path)
        return app

    def hang_up_on_everyone(self) -> None:
        """Drop every request under way, uncommitted work included."""
        for task in self._under_way:
            task.cancel()

    def _instruction(self, endpoint: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            async def work(plan: Plan) -> Answer:
                key = request.headers.get("Idempotency-Key", "")
                return await self.teller.instruct(endpoint, key=key, read_body=read_body, plan=plan)

            async def read_body() -> bytes:
                try:
                    return await request.read()
                except (web.HTTPException, web.RequestPayloadError):
                    raise Unreadable from None

            return await self._attend(request, endpoint, work)

        return handle

    def _read(self, prefix: str, kind: Kind) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            reference = request.match_info["reference"]
            entry_id = reference.removeprefix(prefix) if reference.startswith(prefix) else ""
            return await self._attend(
                request, "reads", lambda plan: self.teller.look_up(kind, entry_id, plan)
            )

        return handle

    async def _health(self, request: web.Request) -> web.StreamResponse:
        return await self._attend(request, "health", self.teller.health)

    async def _unknown_path(self, request: web.Request) -> web.StreamResponse:
        return await self._attend(request, "unknown", lambda _plan: self.teller.unknown_path())

    async def _attend(self, request: web.Request, endpoint: str, work: Work) -> web.StreamResponse:
        """Work on a request in a task of its own, which a caller who hangs up cancels."""
        plan = self.script.next(endpoint)
        task = asyncio.create_task(self._work(request, plan, work))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            response = await asyncio.shield(task)
        except asyncio.CancelledError:
            if not plan.ignores_hangup:
                task.cancel()
            raise
        if response is None:
            return _closed_without_answer(request)
        return response

    async def _work(self, request: web.Request, plan: Plan, work: Work) -> web.StreamResponse | None:
        """Take the request through its plan; None means that the connection closes without an answer."""
        key = request.headers.get("Idempotency-Key")
        with self.journal.visit(request.method, request.path, key, self.teller.clock.now()) as visit:
            if plan.ignores_hangup:
                await request.read()  # once the caller is gone it could not be read any more
            try:
                answer = await self._answer(plan, work)
            except Exception as broken:  # noqa: BLE001 - a fault of ours must look like a bank's, and be seen
                answer = _fault(broken)
            if answer is None or self._too_late(visit):
                visit.ended = "closed without an answer"
                return None
            visit.status = answer.status
            visit.replayed = "X-Idempotent-Replayed" in answer.headers
            return await _deliver(request, answer, plan.dribbles_ms)

    async def _answer(self, plan: Plan, work: Work) -> Answer | None:
        await asyncio.sleep(plan.delay_ms / 1000)
        if plan.hangs_before:
            await self.teller.latch.hang(plan.hangs_before.seconds)
        if plan.drops_before:
            return None
        if plan.answers_before:
            return plan.answers_before

        answer = await work(plan)

        if plan.hangs_after:
            await self.teller.latch.hang(plan.hangs_after.seconds)
        if plan.drops_after:
            return None
        if plan.answers_after:
            return plan.answers_after
        if plan.changes and answer.status == 200:
            return answer.with_fields(plan.changes)
        return answer

    def _too_late(self, visit: Visit) -> bool:
        return self.teller.clock.now() - visit.received_at_ns > ANSWERING_TIME_NS


async def _deliver(request: web.Request, answer: Answer, dribbles_ms: int | None) -> web.StreamResponse:
    headers = {**answer.headers, "Content-Type": answer.content_type}
    if dribbles_ms is None:
        return web.Response(status=answer.status, body=answer.body, headers=headers)
    response = web.StreamResponse(status=answer.status, headers=headers)
    response.content_length = len(answer.body)
    await response.prepare(request)
    for byte in answer.body:
        await asyncio.sleep(dribbles_ms / 1000)
        await response.write(bytes([byte]))
    return response


def _closed_without_answer(request: web.Request) -> web.Response:
    """Close the connection. aiohttp wants a response all the same, and has nowhere to send it."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


def _fault(broken: Exception) -> Answer:
    """Where it broke, but not the exception's message: that could quote a body."""
    traceback = broken.__traceback__
    while traceback and traceback.tb_next:
        traceback = traceback.tb_next
    where = f"{Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}" if traceback else "?"
    log.error("FAULT in the simulated bank: %s at %s", type(broken).__name__, where)
    return failure(500, "internal_error", "Internal error")


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; raises CannotListen."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = Server(settings)
    runner = web.AppRunner(
        server.application(with_control=settings.control),
        handler_cancellation=True,
        access_log=None,
        shutdown_timeout=1.0,
    )
    await runner.setup()
    try:
        await _listen(runner, settings)
        log.info("listening on http://%s:%d, ledger in %s", settings.host, settings.port, settings.database)
        if settings.control:
            log.info("the control plane is on: anyone who reaches this port can script this bank")
        await stop.wait()
    finally:
        await runner.cleanup()
        server.teller.close()
    log.info("stopped")


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    try:
        await web.TCPSite(runner, settings.host, settings.port, backlog=1024).start()
    except OSError as refused:
        if refused.errno == errno.EADDRINUSE:
            raise CannotListen(
                f"Port {settings.port} on {settings.host} is taken. Stop what listens there, "
                "or give the bank another one with PORT=... or BANK_PORT=..."
            ) from None
        raise CannotListen(
            f"Cannot listen on {settings.host}:{settings.port}: {refused.strerror or refused}."
        ) from None
