"""The control plane: how a test makes a bank misbehave on purpose, and sees what really happened.

It is off unless it is switched on at start (`--control`, BANK_CONTROL=1, ACQUIRER_CONTROL=1); otherwise these
paths are unknown like any other. It is exempt from weather, scripts and the journal. Requests and responses
are JSON; an invalid order gets a 400 with `{"error": MESSAGE}`. This module has what all simulated banks
share; bank.ficmart.control and bank.acquirer.control add the rest.

`POST /control/script` `{"endpoint", "step", "times": 1, "options": {}}`
    Decide what happens to the next requests to an endpoint. Each request, also a replay, consumes one step.
    The steps and their options are the functions of bank.plans. Every step also takes the option
    `ignores_hangup: true`: the bank never learns that the caller hung up.
`DELETE /control/script`
    Forget the remaining steps.
`POST /control/hold` `{"at": POINT, "endpoints": [...]}`
    Hold requests from now on. By default, hold all instructions at "execution", before anything is done.
`POST /control/release`
    Let all held requests continue, also those that hang because of a step, and hold no more.
`POST /control/weather` `{"failure_rate", "min_latency_ms", "max_latency_ms"}`
    Change the weather. Values that are not given stay.
`GET /control/state`
    `now`, `weather`, `waiting` (number of held or hanging requests), `script` (remaining steps per endpoint).
`GET /control/requests`
    `requests`, oldest first: `method`, `path`, `idempotency_key`, `received_at`, `status` (null: no
    response), `ended` ("answered", "closed without an answer", "caller hung up", null while in flight),
    `replayed`, `overlapped` (at some moment, another request with the same key and path was in flight, too);
    `max_in_flight` per key; and `most_at_once` per path, whatever the keys. They are kept in memory, so a
    restart forgets them.
`POST /control/reset`
    Close all connections, empty the books, forget script, holds and requests, and restore everything else to
    its state at start.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any

from aiohttp import web

from bank.clock import rfc3339
from bank.latch import Point
from bank.plans import NotAStep
from bank.reception import Reception

Fields = dict[str, Any]
Order = Callable[[Fields], Awaitable[Fields]]


class NotUnderstood(Exception):
    """The order is invalid. The message says why."""


class Control:
    """What every bank's control plane offers: `reads` by GET and `orders` by POST."""

    points: Sequence[str] = (Point.EXECUTION,)

    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self.instructions: Sequence[str] = reception.script.endpoints
        self._weather_at_start = asdict(reception.weather)

    @property
    def reads(self) -> list[Order]:
        return [self.state, self.requests]

    @property
    def orders(self) -> list[Order]:
        return [self.script, self.hold, self.release, self.weather, self.reset]

    async def script(self, fields: Fields) -> Fields:
        script = self._reception.script
        endpoint = known(fields.get("endpoint"), script.endpoints)
        step = script.plan(str(fields.get("step")), **fields.get("options", {}))
        script.add(endpoint, step, times=int(fields.get("times", 1)))
        return {"script": script.remaining()}

    async def clear_script(self, _fields: Fields) -> Fields:
        self._reception.script.clear()
        return {}

    async def hold(self, fields: Fields) -> Fields:
        known_endpoints = self._reception.script.endpoints
        endpoints = [known(name, known_endpoints) for name in fields.get("endpoints", self.instructions)]
        point = known(fields.get("at", Point.EXECUTION), self.points)
        self._reception.latch.close(Point(point), endpoints)
        return {}

    async def release(self, _fields: Fields) -> Fields:
        self._reception.latch.release()
        return {}

    async def weather(self, fields: Fields) -> Fields:
        for name, value in fields.items():
            setattr(self._reception.weather, known(name, tuple(self._weather_at_start)), value)
        return asdict(self._reception.weather)

    async def state(self, _fields: Fields) -> Fields:
        return {
            "now": rfc3339(self._reception.clock.now()),
            "weather": asdict(self._reception.weather),
            "waiting": self._reception.latch.waiting,
            "script": self._reception.script.remaining(),
        }

    async def requests(self, _fields: Fields) -> Fields:
        journal = self._reception.journal
        visits = [asdict(visit) for visit in journal.visits]
        for visit in visits:
            visit["received_at"] = rfc3339(visit.pop("received_at_ns"))
        return {
            "requests": visits,
            "max_in_flight": dict(journal.max_in_flight),
            "most_at_once": dict(journal.most_at_once),
        }

    async def reset(self, _fields: Fields) -> Fields:
        self._reception.hang_up_on_everyone()
        self._reception.script.clear()
        self._reception.journal.forget()
        self._reception.latch.release()
        await self.weather(self._weather_at_start)
        return {}


def add_routes(app: web.Application, control: Control) -> None:
    """Switch the control plane on."""
    for read in control.reads:
        app.router.add_get(f"/control/{read.__name__}", _handler(read))
    for order in control.orders:
        app.router.add_post(f"/control/{order.__name__}", _handler(order))
    app.router.add_delete("/control/script", _handler(control.clear_script))


def known(name: Any, names: Sequence[str]) -> str:
    """The name, if it is one of these. Raises NotUnderstood."""
    if name not in names:
        raise NotUnderstood(f"{name!r} is unknown. Known: {', '.join(names)}.")
    return str(name)


def _handler(order: Order) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response(await order(_fields(await request.read())))
        except (NotUnderstood, NotAStep) as wrong:
            return web.json_response({"error": str(wrong)}, status=400)
        except (KeyError, TypeError, ValueError, AttributeError) as wrong:
            return web.json_response({"error": f"{type(wrong).__name__}: {wrong}"}, status=400)

    return handle


def _fields(body: bytes) -> Fields:
    fields = json.loads(body or b"{}")
    if not isinstance(fields, dict):
        raise NotUnderstood("An order must be a JSON object.")
    return fields
