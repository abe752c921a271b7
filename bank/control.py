"""The control plane: how a test makes the bank misbehave on purpose, and sees what really happened.

Off unless asked for at start (`python -m bank --control`, or BANK_CONTROL=1); without it these paths are
unknown like any other. Exempt from weather, scripts and journal. JSON in and out; what cannot be
understood is a 400 with `{"error": MESSAGE}`.

`POST /control/script` `{"endpoint", "step", "times": 1, "options": {}}`
    What happens to the next requests of an endpoint: authorizations, captures, voids, refunds, reads
    (every GET of an object), health. Each request to it consumes one step, replays included. The steps
    and their options are the functions of bank.plans; every step also takes the option
    `ignores_hangup: true` (the bank never learns that the caller hung up).
`DELETE /control/script`
    Forget the steps still to come.
`POST /control/hold` `{"at": "execution" | "storing", "endpoints": [...]}`
    Hold requests from now on (default: at execution, all four instructions). At "execution" the key has
    been looked up and nothing is done: requests with one key that are held together are all executed.
    At "storing" the entry is committed and its answer is not stored: whoever hangs up there leaves a
    hold that no replay shows.
`POST /control/release`
    Let all held requests go on, and those that hang by a step, and hold no more.
`POST /control/database` `{"down": true | false}`
    Take the bank's database away, or give it back.
`POST /control/weather` `{"failure_rate", "min_latency_ms", "max_latency_ms"}`
    Change the weather; what is not named stays.
`POST /control/clock` `{"seconds": N}` or `{"at": "2026-11-30T00:00:00Z"}`
    Move the bank's clock by so much, or to an instant. It runs on from there, a restart included. Expiry
    of holds and cards, the purge of stored answers and the 15 seconds in which the bank can answer all
    go by this clock.
`GET /control/state`
    `now`, `weather`, `database_down`, `waiting` (requests held or hanging), `script` (steps to come per
    endpoint).
`GET /control/ledger`
    All entries, oldest first: `type`, `id` (with its prefix), `reference_id`, `amount`, `card_last4`,
    `idempotency_key`, `created_at`, `expires_at`.
`GET /control/balances`
    Per card, by its last four digits: `total`, `held`, `available`, in cents.
`GET /control/requests`
    `requests`, oldest first: `method`, `path`, `idempotency_key`, `received_at`, `status` (null: no
    answer), `ended` ("answered", "closed without an answer", "caller hung up", null while in flight),
    `replayed`, `overlapped` (another one with the same key and path was in flight at some moment of it);
    and `max_in_flight` per key. Kept in memory: a restart forgets them.
`POST /control/reset`
    Hang up on everyone, empty the ledger, forget script, latch and requests, put clock, database and
    weather back as they were at start.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aiohttp import web

from bank.clock import SECOND, instant, rfc3339
from bank.entries import Entry, Kind
from bank.latch import Point
from bank.plans import ENDPOINTS, NotAStep, plan

if TYPE_CHECKING:
    from bank.server import Server

Fields = dict[str, Any]
Order = Callable[[Fields], Awaitable[Fields]]

INSTRUCTIONS = ["authorizations", "captures", "voids", "refunds"]
PREFIXES = {Kind.HOLD: "auth_", Kind.CAPTURE: "cap_", Kind.VOID: "void_", Kind.REFUND: "ref_"}


class NotUnderstood(Exception):
    """The order makes no sense. The message says why."""


class Control:
    """The orders the control plane takes."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._teller = server.teller
        self._weather_at_start = asdict(self._teller.weather)

    async def script(self, fields: Fields) -> Fields:
        endpoint = _known(fields.get("endpoint"), ENDPOINTS)
        step = plan(str(fields.get("step")), **fields.get("options", {}))
        self._server.script.add(endpoint, step, times=int(fields.get("times", 1)))
        return {"script": self._server.script.remaining()}

    async def clear_script(self, _fields: Fields) -> Fields:
        self._server.script.clear()
        return {}

    async def hold(self, fields: Fields) -> Fields:
        endpoints = [_known(name, ENDPOINTS) for name in fields.get("endpoints", INSTRUCTIONS)]
        self._teller.latch.close(Point(fields.get("at", Point.EXECUTION)), endpoints)
        return {}

    async def release(self, _fields: Fields) -> Fields:
        self._teller.latch.release()
        return {}

    async def database(self, fields: Fields) -> Fields:
        self._teller.database_down = bool(fields["down"])
        return {}

    async def weather(self, fields: Fields) -> Fields:
        for name, value in fields.items():
            setattr(self._teller.weather, _known(name, tuple(self._weather_at_start)), value)
        return asdict(self._teller.weather)

    async def clock(self, fields: Fields) -> Fields:
        if "at" in fields:
            self._teller.clock.set(instant(fields["at"]))
        else:
            self._teller.clock.move(by_ns=int(fields["seconds"] * SECOND))
        offset_ns = self._teller.clock.offset_ns
        await self._teller.ask(lambda ledger: ledger.remember_clock_offset(offset_ns))
        return {"now": rfc3339(self._teller.clock.now())}

    async def state(self, _fields: Fields) -> Fields:
        return {
            "now": rfc3339(self._teller.clock.now()),
            "weather": asdict(self._teller.weather),
            "database_down": self._teller.database_down,
            "waiting": self._teller.latch.waiting,
            "script": self._server.script.remaining(),
        }

    async def ledger(self, _fields: Fields) -> Fields:
        entries = await self._teller.ask(lambda ledger: ledger.entries())
        return {"entries": [_entry(entry) for entry in entries]}

    async def balances(self, _fields: Fields) -> Fields:
        balances = await self._teller.ask(lambda ledger: ledger.balances())
        return {
            last4: {"total": balance.total, "held": balance.held, "available": balance.available}
            for last4, balance in balances.items()
        }

    async def requests(self, _fields: Fields) -> Fields:
        journal = self._server.journal
        visits = [asdict(visit) for visit in journal.visits]
        for visit in visits:
            visit["received_at"] = rfc3339(visit.pop("received_at_ns"))
        return {"requests": visits, "max_in_flight": dict(journal.max_in_flight)}

    async def reset(self, _fields: Fields) -> Fields:
        self._server.hang_up_on_everyone()
        self._server.script.clear()
        self._server.journal.forget()
        self._teller.latch.release()
        self._teller.database_down = False
        self._teller.clock.offset_ns = 0
        await self.weather(self._weather_at_start)
        await self._teller.ask(lambda ledger: ledger.erase())
        return {}


def add_routes(app: web.Application, server: "Server") -> None:
    """Switch the control plane on."""
    control = Control(server)
    reads = (control.state, control.ledger, control.balances, control.requests)
    orders = (control.script, control.hold, control.release, control.database, control.weather, control.clock)
    for read in reads:
        app.router.add_get(f"/control/{read.__name__}", _handler(read))
    for order in (*orders, control.reset):
        app.router.add_post(f"/control/{order.__name__}", _handler(order))
    app.router.add_delete("/control/script", _handler(control.clear_script))


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
        raise NotUnderstood("An order is a JSON object.")
    return fields


def _known(name: Any, names: tuple[str, ...]) -> str:
    if name not in names:
        raise NotUnderstood(f"There is no {name!r} here; there are {', '.join(names)}.")
    return str(name)


def _entry(entry: Entry) -> Fields:
    reference_prefix = PREFIXES[Kind.CAPTURE if entry.kind is Kind.REFUND else Kind.HOLD]
    return {
        "type": entry.kind,
        "id": PREFIXES[entry.kind] + entry.id,
        "reference_id": entry.reference_id and reference_prefix + entry.reference_id,
        "amount": entry.amount_cents,
        "card_last4": entry.card_last4,
        "idempotency_key": entry.idempotency_key,
        "created_at": rfc3339(entry.created_at_ns),
        "expires_at": entry.expires_at_ns and rfc3339(entry.expires_at_ns),
    }
