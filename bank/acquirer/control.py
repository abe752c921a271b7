"""The acquirer's own part of the control plane (bank.control has the rest).

Its only endpoint for scripts is `payments`. Its only point to hold at is "execution": the payment has been
read, and the issuer has not been asked yet. It has an extra step, `unavailable`: a 503 with nothing executed.
It stores no answers, so the option `stored` of other steps has no effect.

`GET /control/decisions`
    All decisions, oldest first: `authorized`, `authorization_code`, `amount`, `currency`, `card_last4`,
    `decided_at`. Kept in memory: a restart forgets them.
"""

from dataclasses import asdict

from bank.acquirer.books import Books, Decision
from bank.clock import rfc3339
from bank.control import Control, Fields, Order
from bank.reception import Reception


class AcquirerControl(Control):
    """The control plane of an acquirer."""

    def __init__(self, reception: Reception, books: Books) -> None:
        super().__init__(reception)
        self._books = books

    @property
    def reads(self) -> list[Order]:
        return [*super().reads, self.decisions]

    async def decisions(self, _fields: Fields) -> Fields:
        return {"decisions": [_decision(decision) for decision in self._books.decisions]}

    async def reset(self, fields: Fields) -> Fields:
        await super().reset(fields)
        self._books.decisions.clear()
        return {}


def _decision(decision: Decision) -> Fields:
    return {
        **asdict(decision.payment),
        "authorized": decision.authorized,
        "authorization_code": decision.authorization_code,
        "decided_at": rfc3339(decision.decided_at_ns),
    }
