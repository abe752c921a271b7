"""The gateway with gates in its bank's adapter, at which a test can keep a sender: `$GATES` is their folder.

Its clock for leases is put forward there as well: a lease runs out when the test says so, and not before.
"""

import os
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from ficpay.asgi import application
from payments.banks import registry
from payments.banks.base import Instruction
from payments.banks.ficmart import FicmartBank
from payments.domain.cards import Card
from payments.domain.replies import Reply
from tests.adversity.boot_clock import boot_clock_ahead, modules_that_read_it
from tests.adversity.field_reports.gates import Gates

__all__ = ["application"]  # what the server is told to load

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


_clock = boot_clock_ahead(lambda: _gates.ahead)
for module in modules_that_read_it():
    module.boot_clock = _clock  # type: ignore[attr-defined]
registry._MAKERS[FicmartBank.name] = lambda: GatedBank(settings.BANK_URL, settings.BANK_TIMING)
