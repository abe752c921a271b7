"""What every simulated bank does with a request: follow its plan, record it, and answer or hang up."""

import asyncio
import errno
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from bank.answers import Answer, failure
from bank.clock import Clock
from bank.journal import Journal, Visit
from bank.latch import Latch
from bank.plans import Plan, Script
from bank.settings import CannotListen, ServerSettings
from bank.weather import Weather

log = logging.getLogger("bank")

LONGEST_BODY = 1024 * 1024
Work = Callable[[Plan], Awaitable[Answer]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Reception:
    """Receives the requests to one bank. It owns the bank's clock, weather, latch, script and journal.

    `answering_ns`: after this time the bank no longer answers: it finishes executing, then closes the
    connection. None means that it always answers. `key_header` is the header with the idempotency key, at
    banks that have them.
    """

    def __init__(
        self,
        settings: ServerSettings,
        *,
        journal: Journal,
        script: Script,
        key_header: str | None = None,
        answering_ns: int | None = None,
    ) -> None:
        self.clock = Clock()
        self.weather = Weather(settings.failure_rate, settings.min_latency_ms, settings.max_latency_ms)
        self.latch = Latch()
        self.journal = journal
        self.script = script
        self._key_header = key_header
        self._answering_ns = answering_ns
        self._under_way: set[asyncio.Task[web.StreamResponse | None]] = set()

    def hang_up_on_everyone(self) -> None:
        """Drop every request in progress, with its uncommitted work."""
        for task in self._under_way:
            task.cancel()

    async def attend(self, request: web.Request, endpoint: str, work: Work) -> web.StreamResponse:
        """Process a request in its own task, which is cancelled if the caller hangs up."""
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
            return await _closed_without_answer(request)
        return response

    async def _work(self, request: web.Request, plan: Plan, work: Work) -> web.StreamResponse | None:
        """Process the request according to its plan. None: close the connection without an answer."""
        key = request.headers.get(self._key_header) if self._key_header else None
        with self.journal.visit(request.method, request.path, key, self.clock.now()) as visit:
            if plan.ignores_hangup:
                await request.read()  # it cannot be read once the caller is gone
            try:
                answer = await self._answer(plan, work)
            except Exception as broken:  # noqa: BLE001 - a bug here must look like a bank's error, and be logged
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
            await self.latch.hang(plan.hangs_before.seconds)
        if plan.drops_before:
            return None
        if plan.answers_before:
            return plan.answers_before

        answer = await work(plan)

        if plan.hangs_after:
            await self.latch.hang(plan.hangs_after.seconds)
        if plan.drops_after:
            return None
        if plan.answers_after:
            return plan.answers_after
        if plan.changes and answer.status == 200:
            return answer.with_fields(plan.changes)
        return answer

    def _too_late(self, visit: Visit) -> bool:
        return self._answering_ns is not None and self.clock.now() - visit.received_at_ns > self._answering_ns


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


async def _closed_without_answer(request: web.Request) -> web.Response:
    """Close the connection. aiohttp still requires a response, but cannot send it.

    The body is read first: a connection with unread bytes would be reset, and a reset does not show that the
    bank has finished.
    """
    await request.read()
    if request.transport is not None:
        request.transport.close()
    return web.Response()


def _fault(broken: Exception) -> Answer:
    """Log where a bug occurred, but not the exception's message, which could quote a body."""
    traceback = broken.__traceback__
    while traceback and traceback.tb_next:
        traceback = traceback.tb_next
    where = f"{Path(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}" if traceback else "?"
    log.error("FAULT in the simulated bank: %s at %s", type(broken).__name__, where)
    return failure(500, "internal_error", "Internal error")


async def serve(application: web.Application, settings: ServerSettings, *, books: str) -> None:
    """Serve until SIGTERM or SIGINT. Raises CannotListen. `books` says in the log where they are kept."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await _listen(runner, settings)
        log.info("listening on http://%s:%d, %s", settings.host, settings.port, books)
        if settings.control:
            log.info("the control plane is on: anyone who can reach this port can script this bank")
        await stop.wait()
    finally:
        await runner.cleanup()
    log.info("stopped")


async def _listen(runner: web.AppRunner, settings: ServerSettings) -> None:
    try:
        await web.TCPSite(runner, settings.host, settings.port, backlog=1024).start()
    except OSError as refused:
        if refused.errno == errno.EADDRINUSE:
            raise CannotListen(
                f"Port {settings.port} on {settings.host} is taken. Stop the program that uses it, "
                f"or choose another port with {settings.port_variable}=..."
            ) from None
        raise CannotListen(
            f"Cannot listen on {settings.host}:{settings.port}: {refused.strerror or refused}."
        ) from None
