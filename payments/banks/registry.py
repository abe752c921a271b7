"""The banks by name. A merchant names one for each mode; a payment keeps the one it began with."""

from collections.abc import Callable
from functools import cache

from django.conf import settings

from payments.banks.base import Bank
from payments.banks.ficmart import FicmartBank
from payments.banks.sandbox import SandboxBank

_MAKERS: dict[str, Callable[[], Bank]] = {
    FicmartBank.name: lambda: FicmartBank(
        settings.BANK_URL,
        settings.BANK_TIMING,
        closes_when_finished=settings.BANK_CLOSES_WHEN_FINISHED,
        calls_in_flight=settings.BANK_THREADS,
    ),
    SandboxBank.name: SandboxBank,
}
NAMES = tuple(_MAKERS)


@cache
def bank_named(name: str) -> Bank:
    """The bank of that name, one object a process. Raises KeyError for a name nobody registered."""
    return _MAKERS[name]()
