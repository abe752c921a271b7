"""The audit: checks the rules that our books must satisfy at every moment.

Each rule is a sentence and a query for its violations. Constraints, triggers or transactions enforce most
rules already; the audit checks the rows independently of them.
"""

import json
from dataclasses import dataclass

from django.db import connection
from django.db.backends.utils import CursorWrapper

from payments.domain.states import OperationKind
from payments.domain.timing import NEGATIVE_PROBES_APART, SILENT_ATTEMPTS_WITH_CARD
from payments.engine.abilities import (
    banks_that_can,
    banks_that_void_expired_holds,
    banks_without_keys,
    replies_kept_for,
)
from payments.engine.capacity import longest_attempt
from payments.models.patience import unhurried
from reconciliation.services.audit_rules import RULES


@dataclass(frozen=True)
class Violation:
    """One violation of a rule."""

    rule: str
    says: str  # the rule's sentence
    subject: str  # the id of a payment or operation, as our other tools show it
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
        "patience": "10 minutes",  # recovery has this long to act before something counts as overdue
        "replies_kept_for": json.dumps(
            {bank: f"{lasts.total_seconds()} seconds" for bank, lasts in replies_kept_for().items()}
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
