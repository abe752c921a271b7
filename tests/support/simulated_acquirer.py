"""The simulated acquirer as tests use it: a real process on a real port, with its control plane on.

    with SimulatedAcquirer() as acquirer:
        acquirer.script("payments", "drop_after")
        ...                               # the gateway talks to acquirer.url
        assert [one.card_last4 for one in acquirer.decisions()] == ["1111"]

There is one endpoint, `payments`. `acquirer.most_at_once("/payments")` is how many calls it had in flight.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.support.simulated_process import ControlPlane, SimulatedProcess, instant


@dataclass(frozen=True)
class Decision:
    """What the issuer said to one payment; the amount is in minor units, the code empty after a no."""

    authorized: bool
    authorization_code: str
    amount: int
    currency: str
    card_last4: str
    decided_at: datetime


class AcquirerControl(ControlPlane):
    """The control plane of an acquirer, wherever it runs."""

    def hold(self) -> None:
        """Hold payments that have been read, before the issuer is asked, until release()."""
        self._order("hold")

    def decisions(self) -> list[Decision]:
        """All that the issuer was asked, oldest first, since the last reset or start."""
        return [
            Decision(**{**decision, "decided_at": instant(decision["decided_at"])})
            for decision in self._read("decisions")["decisions"]
        ]


class SimulatedAcquirer(SimulatedProcess, AcquirerControl):
    """One acquirer process. Its books are in memory: restart() and kill() empty them."""

    command = ("acquirer",)
    port_variable = "ACQUIRER_PORT"

    def __init__(self, **options: Any) -> None:
        super().__init__({"ACQUIRER_CONTROL": "1"}, **options)
