"""The audit: what must hold for the books of every FicPay at every moment, and what does not.

Each rule is a sentence and a query for its violations. Most are guaranteed by a constraint, a trigger or
a transaction as well; the audit asks the rows all the same, whoever wrote them.
"""

import json
from dataclasses import dataclass

from django.db import connection
from django.db.backends.utils import CursorWrapper

from payments.domain.states import OperationKind
from payments.domain.timing import NEGATIVE_PROBES_APART, SILENT_ATTEMPTS_WITH_CARD
from payments.engine.abilities import (
    answers_last,
    banks_that_can,
    banks_that_void_expired_holds,
    banks_without_keys,
)
from payments.engine.capacity import longest_attempt
from payments.models.patience import unhurried
from reconciliation.services.audit_rules import RULES


@dataclass(frozen=True)
class Violation:
    """A rule that does not hold, for whom, and how."""

    rule: str
    says: str  # the rule's sentence
    subject: str  # a payment's, an operation's or an attempt's id, as our other tools show it
    detail: str


def violations() -> list[Violation]:
    """Every violation of every rule, from one consistent view of the database. Changes nothing."""
    with unhurried(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return found_by(cursor)


def found_by(cursor: CursorWrapper) -> list[Violation]:
    """Every violation that this cursor's transaction sees."""
    bounds: dict[str, str | int | list[str]] = {
        "attempt": f"{longest_attempt()} seconds",
        "without_keys": banks_without_keys(),
        "patience": "10 minutes",  # what recovery has to notice something before it is called overdue
        "answers_last": json.dumps(
            {bank: f"{lasts.total_seconds()} seconds" for bank, lasts in answers_last().items()}
        ),
        "banks_that_void": json.dumps(banks_that_can(OperationKind.VOID)),
        "banks_that_void_expired": json.dumps(banks_that_void_expired_holds()),
        "silent_with_card": SILENT_ATTEMPTS_WITH_CARD,
        "probes_apart": f"{NEGATIVE_PROBES_APART.total_seconds()} seconds",
    }
    found = []
    for rule in RULES:
        cursor.execute(rule.violations, bounds)
        found += [Violation(rule.name, rule.says, *row) for row in cursor.fetchall()]
    return found
