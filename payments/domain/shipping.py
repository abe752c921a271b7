"""Whether an order may ship: only while its money is certainly held or captured."""

from dataclasses import dataclass
from datetime import UTC, datetime

from payments.domain.states import PaymentState


@dataclass(frozen=True)
class Readiness:
    """Whether the order may ship, and the reason in a sentence."""

    ready: bool
    reason: str


def readiness(
    state: PaymentState,
    *,
    pending: str | None,
    expires_at: datetime | None,
    now: datetime,
    contradicted: bool = False,
) -> Readiness:
    """Whether goods may ship on a payment in this state. Any doubt means no. Times are aware.

    `expires_at` is the hold's end, None where the bank gives none.
    """
    if pending is not None:
        return Readiness(False, f"The payment's {pending} is unfinished.")
    if contradicted:
        return Readiness(False, "The bank contradicts what is known of the order; FicPay's staff settle it.")
    if state is PaymentState.CAPTURED:
        return Readiness(True, "The payment is CAPTURED.")
    if state is PaymentState.AUTHORIZED:
        if expires_at is None:
            return Readiness(True, "The payment is AUTHORIZED.")
        if expires_at > now:
            until = expires_at.astimezone(UTC)
            return Readiness(True, f"The payment is AUTHORIZED until {until:%Y-%m-%dT%H:%M:%SZ}.")
        return Readiness(False, "The payment's authorization has run out.")
    return Readiness(False, f"The payment is {state}.")
