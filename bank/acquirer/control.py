"""What only the acquirer's control plane has (bank.control has the rest).

The one endpoint of a script is `payments`, the one point to hold at "execution": the payment has been read
and the issuer was not asked. A step of its own, `unavailable`, is the 503 with nothing executed. There are
no stored answers, so the option `stored` of other steps changes nothing.

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
    """The orders to an acquirer."""

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
