"""What the bank sends: its answers, its errors and its plain texts."""

from collections.abc import Callable
from typing import assert_never

from bank.answers import Answer, failure, json_answer, plain_text
from bank.clock import rfc3339, rfc3339_from_database
from bank.ficmart.entries import CURRENCY, Entry, Kind


class Refused(Exception):
    """The bank responds with an error; `code` is the contract's error code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


MESSAGES = {
    "invalid_card": "Invalid card",
    "invalid_cvv": "Invalid CVV",
    "invalid_amount": "Amount must be at least 1 cent",
    "card_expired": "Card has expired",
    "insufficient_funds": "Insufficient funds",
    "authorization_not_found": "Authorization not found",
    "authorization_expired": "Authorization has expired",
    "authorization_already_used": "Authorization has already been captured or voided",
    "already_refunded": "Capture has already been refunded",
    "amount_mismatch": "Amount must equal the original amount",
    "capture_not_found": "Capture not found",
    "not_found": "Resource not found",
    "internal_error": "Internal error",
}
STATUSES = {"insufficient_funds": 402, "not_found": 404}


def refusal(code: str) -> Answer:
    """The answer for an error code of the contract: 400 unless the contract says otherwise."""
    return failure(STATUSES.get(code, 400), code, MESSAGES[code])


RANDOM_FAILURE = failure(500, "internal_error", "Random failure injection")
UNREADABLE_BODY = plain_text(400, "can't decode JSON body\n")
MISSING_KEY = plain_text(400, "Header parameter Idempotency-Key is required, but not found\n")
UNKNOWN_PATH = plain_text(404, "404 page not found\n")
HEALTHY = Answer(200, b'{"status":"healthy"}')
UNHEALTHY = Answer(503, b'{"status":"unhealthy"}')


def executed(entry: Entry) -> Answer:
    """The answer to an executed instruction. Its times come from memory: up to nine fractional digits."""
    return _describe(entry, rfc3339)


def read_back(entry: Entry) -> Answer:
    """The object in a GET's answer. Its times come from the database: six fractional digits.

    An authorization stays "approved" forever, even after it was captured or voided.
    """
    return _describe(entry, rfc3339_from_database)


def replayed(body: bytes) -> Answer:
    """A stored answer. Only 2xx answers are stored, and the bank's only 2xx status is 200."""
    return Answer(200, body, headers={"X-Idempotent-Replayed": "true"})


def _describe(entry: Entry, written: Callable[[int], str]) -> Answer:
    reference = entry.reference_id
    money = {"amount": entry.amount_cents, "currency": CURRENCY}
    at = written(entry.created_at_ns)
    match entry.kind:
        case Kind.HOLD:
            expires_at = written(entry.expires_at_ns or entry.created_at_ns)
            said = {"authorization_id": f"auth_{entry.id}", "status": "approved", **money}
            said |= {"expires_at": expires_at, "created_at": at}
        case Kind.CAPTURE:
            said = {"capture_id": f"cap_{entry.id}", "authorization_id": f"auth_{reference}"}
            said |= {"status": "captured", **money, "captured_at": at}
        case Kind.VOID:
            said = {"void_id": f"void_{entry.id}", "authorization_id": f"auth_{reference}"}
            said |= {"status": "voided", "voided_at": at}
        case Kind.REFUND:
            said = {"refund_id": f"ref_{entry.id}", "capture_id": f"cap_{reference}"}
            said |= {"status": "refunded", **money, "refunded_at": at}
        case unknown:
            assert_never(unknown)
    return json_answer(200, said)
