"""What the audit's rules are made of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A sentence that must hold, and the query for where it does not."""

    name: str
    says: str
    violations: str


# How our tools name a payment.
PAYMENT = "'pay_' || replace(p.id::text, '-', '')"
