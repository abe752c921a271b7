"""What reconciliation keeps: statements, matches, differences, runs, and settlements."""

from reconciliation.models.differences import Difference, DifferenceEvent, Run
from reconciliation.models.settlements import Correction, FeeTerms, Settlement, SettlementLine
from reconciliation.models.statements import Match, StatementFile, StatementLine

__all__ = [
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
