"""How the bank processes one request, from the lookup of its key to the stored answer.

Each access to the ledger is one step on the ledger's thread, and a caller who hangs up cancels the next step.
This causes the contract's quirks, and the simulation keeps them on purpose: the lookup does not lock, and an
entry and its stored answer are two commits.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from bank.answers import Answer
from bank.bodies import Unreadable
from bank.ficmart.answers import (
    HEALTHY,
    MISSING_KEY,
    RANDOM_FAILURE,
    UNHEALTHY,
    UNKNOWN_PATH,
    UNREADABLE_BODY,
    Refused,
    executed,
    read_back,
    refusal,
    replayed,
)
from bank.ficmart.entries import Entry, Kind
from bank.ficmart.instructions import Instruction, instructions
from bank.ficmart.ledger import Ledger
from bank.latch import Point
from bank.plans import Plan
from bank.reception import Reception
from bank.settings import Settings

T = TypeVar("T")
ReadBody = Callable[[], Awaitable[bytes]]


class DatabaseDown(Exception):
    """The bank's own database is not available."""


class Teller:
    """Processes requests. Apart from reading bodies, it knows nothing of HTTP."""

    def __init__(self, settings: Settings, reception: Reception) -> None:
        self.clock = reception.clock
        self.weather = reception.weather
        self.latch = reception.latch
        self.database_down = False
        self.instructions = instructions(expiry_hours=settings.auth_expiry_hours)
        self._ledger = Ledger(settings.database)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        if settings.control:
            self.clock.offset_ns = self._ledger.clock_offset()

    def close(self) -> None:
        """Finish the current commit, if any, and close the ledger."""
        self._thread.shutdown(wait=True)
        self._ledger.close()

    async def instruct(self, endpoint: str, *, key: str, read_body: ReadBody, plan: Plan) -> Answer:
        """Execute an instruction, or return the answer stored under its key."""
        if not key:
            return MISSING_KEY
        instruction = self.instructions[endpoint]
        stores_answer = plan.stores_answer
        try:
            stored = await self._look_up_key(key, instruction.path, plan)
        except DatabaseDown:
            stored, stores_answer = None, False
        if stored is not None:
            return replayed(stored)

        await self.latch.pass_point(Point.EXECUTION, endpoint)
        if not await self.weather.passes():
            return RANDOM_FAILURE
        answer = await self._execute(instruction, key, read_body, plan)

        if answer.status == 200 and stores_answer:
            await self.latch.pass_point(Point.STORING, endpoint)
            with suppress(DatabaseDown):
                await self._store(key, instruction.path, answer, plan)
        return answer

    async def look_up(self, kind: Kind, entry_id: str, plan: Plan) -> Answer:
        """Read one object. While the database is down, it is "not found": only /health can tell."""
        await self.latch.pass_point(Point.EXECUTION, "reads")
        if not await self.weather.passes():
            return RANDOM_FAILURE
        try:
            entry = await self._entry(kind, entry_id, plan)
        except DatabaseDown:
            entry = None
        if entry is None:
            return refusal("not_found")
        return read_back(entry)

    async def health(self, plan: Plan) -> Answer:
        """The only answer that is exempt from weather and reports whether the database is down."""
        try:
            await self.ask(Ledger.clock_offset, plan)
        except DatabaseDown:
            return UNHEALTHY
        return HEALTHY

    async def unknown_path(self) -> Answer:
        if not await self.weather.passes():
            return RANDOM_FAILURE
        return UNKNOWN_PATH

    async def ask(self, query: Callable[[Ledger], T], plan: Plan | None = None) -> T:
        """Run one step on the ledger. Raises DatabaseDown. The control plane passes no plan.

        A caller who hangs up cancels the step if it has not begun. A step that has begun is finished, but the
        steps after it are not run.
        """
        if plan and (self.database_down or plan.database_down):
            raise DatabaseDown
        return await asyncio.get_running_loop().run_in_executor(self._thread, query, self._ledger)

    async def _look_up_key(self, key: str, path: str, plan: Plan) -> bytes | None:
        if plan.lookup_fails:
            raise DatabaseDown
        return await self.ask(lambda ledger: ledger.stored_answer(key, path, now=self.clock.now()), plan)

    async def _execute(self, instruction: Instruction, key: str, read_body: ReadBody, plan: Plan) -> Answer:
        try:
            execute = instruction.judge(await read_body())
            if plan.database_fails_midway:
                raise Refused(instruction.midway_code)
            return executed(await self.ask(lambda ledger: execute(ledger, key, self.clock.now()), plan))
        except Unreadable:
            return UNREADABLE_BODY
        except Refused as refused:
            return refusal(refused.code)
        except DatabaseDown:
            return refusal("internal_error")

    async def _store(self, key: str, path: str, answer: Answer, plan: Plan) -> None:
        await self.ask(lambda ledger: ledger.store_answer(key, path, answer.body, now=self.clock.now()), plan)

    async def _entry(self, kind: Kind, entry_id: str, plan: Plan) -> Entry | None:
        if plan.database_fails_midway:
            raise DatabaseDown
        return await self.ask(lambda ledger: ledger.entry(kind, entry_id), plan)
