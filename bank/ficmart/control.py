"""The bank's own part of the control plane (bank.control has the rest).

Endpoints for scripts: authorizations, captures, voids, refunds, reads (every GET of an object), health.
Points to hold at: "execution", after the key was looked up and before anything is done, so that several
held requests with the same key are all executed; and "storing", after the entry was committed and before
its answer is stored, so that a caller who hangs up leaves a hold that no replay shows.

`POST /control/database` `{"down": true | false}`
    Make the bank's database unavailable, or available again. The state shows it as `database_down`.
`POST /control/clock` `{"seconds": N}` or `{"at": "2026-11-30T00:00:00Z"}`
    Move the bank's clock by a number of seconds or to an instant. It keeps running from there, even after a
    restart. This clock decides the expiry of holds and cards, the purge of stored answers and the 15 seconds
    after which the bank no longer answers.
`GET /control/ledger`
    All entries, oldest first: `type`, `id` (with its prefix), `reference_id`, `amount`, `card_last4`,
    `idempotency_key`, `created_at`, `expires_at`.
`GET /control/balances`
    Per card, by its last four digits: `total`, `held`, `available`, in cents.
"""

from bank.clock import SECOND, instant, rfc3339
from bank.control import Control, Fields, Order
from bank.ficmart.entries import Entry, Kind
from bank.ficmart.teller import Teller
from bank.latch import Point
from bank.reception import Reception

PREFIXES = {Kind.HOLD: "auth_", Kind.CAPTURE: "cap_", Kind.VOID: "void_", Kind.REFUND: "ref_"}


class BankControl(Control):
    """The control plane of a bank with a ledger, a database that can be down, and a clock that matters."""

    points = tuple(Point)

    def __init__(self, reception: Reception, teller: Teller) -> None:
        super().__init__(reception)
        self._teller = teller
        self.instructions = tuple(teller.instructions)

    @property
    def reads(self) -> list[Order]:
        return [*super().reads, self.ledger, self.balances]

    @property
    def orders(self) -> list[Order]:
        return [*super().orders, self.database, self.clock]

    async def database(self, fields: Fields) -> Fields:
        self._teller.database_down = bool(fields["down"])
        return {}

    async def clock(self, fields: Fields) -> Fields:
        clock = self._reception.clock
        if "at" in fields:
            clock.set(instant(fields["at"]))
        else:
            clock.move(by_ns=int(fields["seconds"] * SECOND))
        offset_ns = clock.offset_ns
        await self._teller.ask(lambda ledger: ledger.remember_clock_offset(offset_ns))
        return {"now": rfc3339(clock.now())}

    async def state(self, fields: Fields) -> Fields:
        return {**await super().state(fields), "database_down": self._teller.database_down}

    async def ledger(self, _fields: Fields) -> Fields:
        entries = await self._teller.ask(lambda ledger: ledger.entries())
        return {"entries": [_entry(entry) for entry in entries]}

    async def balances(self, _fields: Fields) -> Fields:
        balances = await self._teller.ask(lambda ledger: ledger.balances())
        return {
            last4: {"total": balance.total, "held": balance.held, "available": balance.available}
            for last4, balance in balances.items()
        }

    async def reset(self, fields: Fields) -> Fields:
        await super().reset(fields)
        self._teller.database_down = False
        self._reception.clock.offset_ns = 0
        await self._teller.ask(lambda ledger: ledger.erase())
        return {}


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
