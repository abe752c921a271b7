"""What a successful operation is that no line of a statement matches."""

from dataclasses import dataclass

from reconciliation.matching.classes import Class


@dataclass(frozen=True)
class OperationFacts:
    """What decides it."""

    is_covered: bool  # whether statements cover its time and the time in which its line may come late
    has_line: bool  # a line has its reference, or what it names: that line is judged instead


def classify_operation(operation: OperationFacts) -> Class:
    """What an unmatched success is."""
    if operation.has_line:
        return Class.EXPLAINED
    return Class.MISSING_AT_BANK if operation.is_covered else Class.LATE
