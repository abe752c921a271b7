"""The gateway with gates in its bank's adapter, at which a test can keep a sender: `$GATES` is their folder.

Bounds are short, so that a lease really runs out while the process is stopped.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from django.conf import settings

from ficpay.asgi import application
from payments.banks import registry
from payments.banks.base import Instruction
from payments.banks.ficmart import FicmartBank
from payments.domain.cards import Card
from payments.domain.replies import Reply
from payments.domain.timing import Timing
from tests.adversity.field_reports.gates import Gates

__all__ = ["application"]  # what the server is told to load

settings.BANK_TIMING = Timing(
    connect=0.3, read=1.2, attempt=1.8, start_window=0.5, client_wait=2.5, lease_margin=1.4,
    backoff_base=0.1, backoff_cap=0.2,
)  # fmt: skip
_gates = Gates(Path(os.environ["GATES"]))


class GatedBank(FicmartBank):
    """FicMart's bank, which a sender reaches when the gates on its way are open."""

    def send(self, instruction: Instruction, *, card: Card | None, may_send: Callable[[], bool]) -> Reply:
        def permitted() -> bool:
            may = may_send()
            _gates.pass_through("permitted")
            return may

        _gates.pass_through("recorded")
        return super().send(instruction, card=card, may_send=permitted)


# The adapter's own bound cuts a sleeper off when it wakes, most often before its first byte. It is out of
# reach here, so that the worst happens every time.
_UNBOUND = replace(settings.BANK_TIMING, read=50.0, attempt=60.0)


def _gated_bank() -> GatedBank:
    bank = GatedBank(settings.BANK_URL, _UNBOUND)
    bank.abilities = replace(bank.abilities, timing=settings.BANK_TIMING)
    return bank


registry._MAKERS[FicmartBank.name] = _gated_bank
