"""What reconciliation keeps: statements, matches, differences, runs, and settlements."""

from reconciliation.models.bank_checks import BankCheck
from reconciliation.models.differences import Difference, DifferenceEvent, Run
from reconciliation.models.settlements import Correction, FeeTerms, Settlement, SettlementLine
from reconciliation.models.statements import Match, StatementFile, StatementLine

__all__ = [
    "BankCheck",
    "Correction",
    "Difference",
    "DifferenceEvent",
    "FeeTerms",
    "Match",
    "Run",
    "Settlement",
    "SettlementLine",
    "StatementFile",
    "StatementLine",
]
