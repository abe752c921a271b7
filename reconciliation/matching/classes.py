"""The classes of lines and operations, and what to do about each difference."""

from enum import StrEnum


class Class(StrEnum):
    """What a line of a statement, or an operation of ours, is found to be."""

    MATCHED = "matched"  # a line shows an operation in every part
    EXPLAINED = "explained"  # no operation of ours, and nothing to do: a hold that is freed, for example
    LATE = "late"  # its other side may still come, or is about to be settled: no difference yet
    MISSING_AT_BANK = "missing_at_bank"
    MISSING_IN_BOOKS = "missing_in_books"
    AMOUNT_MISMATCH = "amount_mismatch"
    CURRENCY_MISMATCH = "currency_mismatch"
    STATE_MISMATCH = "state_mismatch"
    DUPLICATE_AT_BANK = "duplicate_at_bank"
    ORPHAN_HOLD = "orphan_hold"
    CAPTURED_OUTSIDE = "captured_outside"
    REFUNDED_OUTSIDE = "refunded_outside"
    VOIDED_OUTSIDE = "voided_outside"
    STATEMENT_MISSING = "statement_missing"


# After a number of lines or operations.
IN_WORDS = {
    Class.MATCHED: "matched",
    Class.EXPLAINED: "that need nothing",
    Class.LATE: "late",
    Class.MISSING_AT_BANK: "missing at the bank",
    Class.MISSING_IN_BOOKS: "missing in our books",
    Class.AMOUNT_MISMATCH: "with another amount",
    Class.CURRENCY_MISMATCH: "with another currency",
    Class.STATE_MISMATCH: "done at the bank but not in our books",
    Class.DUPLICATE_AT_BANK: "twice at the bank",
    Class.ORPHAN_HOLD: "held for no payment",
    Class.CAPTURED_OUTSIDE: "captured outside FicPay",
    Class.REFUNDED_OUTSIDE: "refunded outside FicPay",
    Class.VOIDED_OUTSIDE: "voided outside FicPay",
    Class.STATEMENT_MISSING: "without a statement",
}

NO_DIFFERENCE = (Class.MATCHED, Class.EXPLAINED, Class.LATE)

_PROPOSED = {
    Class.MISSING_AT_BANK: (
        "Ask the bank whether it executed this. If it did not, our books show money that did not move: agree "
        "with the bank on how to put it right."
    ),
    Class.MISSING_IN_BOOKS: (
        "Ask the bank what this is. Somebody else may use the account, or our database has lost a record."
    ),
    Class.AMOUNT_MISMATCH: "Ask the bank for the right amount, and give back or claim what is too much.",
    Class.CURRENCY_MISMATCH: "Ask the bank for the right currency before anything else is done.",
    Class.STATE_MISMATCH: (
        "The bank executed what our books call not executed. Instruct it again, and the bank's reply brings "
        "it into our books; or ask the bank to undo it."
    ),
    Class.DUPLICATE_AT_BANK: "Ask the bank to take back what it did twice.",
    Class.ORPHAN_HOLD: "Void the hold: it blocks a cardholder's money for a payment that does not exist.",
    Class.CAPTURED_OUTSIDE: (
        "Find out who captured it at the bank, and have it refunded there if nobody should have."
    ),
    Class.REFUNDED_OUTSIDE: (
        "Find out who refunded it at the bank. Do not refund it again here, and correct the settlement."
    ),
    Class.VOIDED_OUTSIDE: "Find out who voided it at the bank. The order can no longer be captured.",
    Class.STATEMENT_MISSING: "Get the day's statement from the bank and import it.",
}


def proposed_resolution(kind: str) -> str:
    """What to do about a difference of this kind, as sentences. Raises KeyError for what is none."""
    return _PROPOSED[Class(kind)]
