"""The banks by name. A merchant's routes name them; a payment keeps the bank it began with."""

from collections.abc import Callable
from functools import cache

from django.conf import settings

from payments.banks.acquirer import AcquirerBank
from payments.banks.base import Bank
from payments.banks.ficmart import FicmartBank
from payments.banks.sandbox import SandboxBank
from payments.domain.timing import Timing

_MAKERS: dict[str, Callable[[], Bank]] = {
    FicmartBank.name: lambda: FicmartBank(
        settings.BANK_URL,
        _timing_of(FicmartBank.name),
        closes_when_finished=settings.BANK_CLOSES_WHEN_FINISHED,
        calls_in_flight=_calls_in_flight_of(FicmartBank.name),
    ),
    AcquirerBank.name: lambda: AcquirerBank(
        settings.ACQUIRER_URL,
        _timing_of(AcquirerBank.name),
        calls_in_flight=_calls_in_flight_of(AcquirerBank.name),
    ),
    SandboxBank.name: lambda: SandboxBank(
        _timing_of(SandboxBank.name), calls_in_flight=_calls_in_flight_of(SandboxBank.name)
    ),
}
NAMES = tuple(_MAKERS)


@cache
def bank_named(name: str) -> Bank:
    """The bank of that name, one object per process. Raises KeyError for an unknown name."""
    return _MAKERS[name]()


def _timing_of(name: str) -> Timing:
    timing: Timing = settings.BANK_TIMINGS.get(name, settings.BANK_TIMING)
    return timing


def _calls_in_flight_of(name: str) -> int:
    calls: int = settings.BANK_THREADS_OF.get(name, settings.BANK_THREADS)
    return calls
