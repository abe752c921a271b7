"""What the gateway reads out of the replies of FicMart's bank, without a socket."""

import json
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from payments.banks.ficmart import FicmartBank
from payments.domain.replies import (
    Approval,
    BankError,
    Decline,
    Mismatch,
    NotDone,
    Reply,
    Said,
    Silence,
    call_is_over,
)
from payments.domain.states import OperationKind
from payments.domain.timing import Timing
from tests.banks.instructions import (
    APPROVALS,
    AUTHORIZATION,
    CAPTURE,
    CARD,
    MADE,
    CannedLine,
    instruction,
    send,
)

KINDS = tuple(OperationKind)
AUTHORIZE = OperationKind.AUTHORIZE
MISSING = object()
RIGHT = json.dumps(APPROVALS[AUTHORIZE]).encode()
ERRORS = (400, 401, 402, 403, 404, 409, 422, 429, 500, 502, 503, 504)


def bank_on(line: CannedLine, *, closes_when_finished: bool = True) -> FicmartBank:
    bank = FicmartBank("http://bank", Timing(), closes_when_finished=closes_when_finished)
    bank._line = line  # type: ignore[assignment]
    return bank


def reply_to(
    status: int,
    body: Any,
    kind: OperationKind = AUTHORIZE,
    *headers: str,
    closes_when_finished: bool = True,
    **fields: Any,
) -> Reply:
    line = CannedLine(status, body, headers)
    return send(bank_on(line, closes_when_finished=closes_when_finished), kind, **fields)


def changed(kind: OperationKind, **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (APPROVALS[kind] | changes).items() if value is not MISSING}


class TestTheRequest:
    CARD_AND_AMOUNT = {  # noqa: RUF012
        "card_number": CARD.number,
        "cvv": CARD.cvv,
        "expiry_month": 12,
        "expiry_year": 2030,
        "amount": 5000,
    }

    def test_is_the_contracts(self) -> None:
        for kind, path, body in (
            (AUTHORIZE, "authorizations", self.CARD_AND_AMOUNT),
            (OperationKind.CAPTURE, "captures", {"authorization_id": AUTHORIZATION, "amount": 5000}),
            (OperationKind.VOID, "voids", {"authorization_id": AUTHORIZATION}),
            (OperationKind.RELEASE, "voids", {"authorization_id": AUTHORIZATION}),
            (OperationKind.REFUND, "refunds", {"capture_id": CAPTURE, "amount": 5000}),
        ):
            line = CannedLine(200, APPROVALS[kind])
            send(bank_on(line), kind)
            assert (line.path, line.body) == (f"/api/v1/{path}", body)
            assert line.headers == {"Idempotency-Key": "the-key"}, kind

    def test_of_an_authorize_needs_the_card(self) -> None:
        line = CannedLine(200, {})
        with pytest.raises(ValueError, match="needs the card"):
            bank_on(line).send(instruction(), card=None, may_send=lambda: True)
        assert line.body is None

    def test_of_a_probe_has_the_key_and_a_card_that_cannot_exist(self) -> None:
        line = CannedLine(200, APPROVALS[AUTHORIZE])
        reply = bank_on(line).probe(instruction(), may_send=lambda: True)
        assert isinstance(reply, Approval)
        assert line.headers == {"Idempotency-Key": "the-key"}
        no_card = {"card_number": "9999999999999999998", "cvv": "000", "expiry_year": 2099}
        assert line.body == self.CARD_AND_AMOUNT | no_card


class TestAnApproval:
    def test_of_what_was_sent_carries_the_banks_reference(self) -> None:
        for kind in KINDS:
            expires_at = datetime(2026, 11, 28, 9, 30, 0, 123456, tzinfo=UTC) if kind is AUTHORIZE else None
            expected = Approval(200, APPROVALS[kind][MADE[kind]], replayed=False, expires_at=expires_at)
            assert reply_to(200, APPROVALS[kind], kind) == expected

    def test_says_whether_it_is_a_stored_one(self) -> None:
        for header, replayed in (
            ("X-Idempotent-Replayed: true", True),
            ("x-idempotent-replayed: TRUE", True),
            ("X-Idempotent-Replayed: false", False),
            ("X-Idempotent-Replayed:", False),
            ("X-Other: true", False),
        ):
            reply = reply_to(200, APPROVALS[AUTHORIZE], AUTHORIZE, header)
            assert isinstance(reply, Approval), header
            assert reply.replayed is replayed, header

    def test_of_a_hold_says_when_it_ends(self) -> None:
        for text, expires_at in (
            ("2026-11-28T09:30:00.123456789Z", datetime(2026, 11, 28, 9, 30, 0, 123456, tzinfo=UTC)),
            ("2026-11-28T09:30:00.999999999Z", datetime(2026, 11, 28, 9, 30, 0, 999999, tzinfo=UTC)),
            ("2026-11-28T09:30:00.123456Z", datetime(2026, 11, 28, 9, 30, 0, 123456, tzinfo=UTC)),
            ("2026-11-28T09:30:00Z", datetime(2026, 11, 28, 9, 30, tzinfo=UTC)),
            ("2026-11-28T09:30:00.5Z", datetime(2026, 11, 28, 9, 30, 0, 500000, tzinfo=UTC)),
            ("2026-11-28T01:30:00.123456789+02:00", datetime(2026, 11, 27, 23, 30, 0, 123456, tzinfo=UTC)),
            ("2026-11-28T09:30:00-00:00", datetime(2026, 11, 28, 9, 30, tzinfo=UTC)),
            # The bank's clock is its own: a hold that has run out already is a hold all the same.
            ("2020-01-01T00:00:00Z", datetime(2020, 1, 1, tzinfo=UTC)),
            ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ):
            reply = reply_to(200, changed(AUTHORIZE, expires_at=text))
            assert isinstance(reply, Approval), text
            assert reply.expires_at == expires_at
            assert reply.expires_at.utcoffset() == timedelta(0), text

    def test_of_a_hold_without_an_end_is_unreadable(self) -> None:
        for expires_at in (
            *(MISSING, None, "", 0, 1795858200, True, [], {}, "soon", "2026-11-28", "2026-11-28T09:30:00"),
            *("2026-11-28T09:30:00.123456789", "2026-02-30T00:00:00Z", "2026-11-28T23:59:60Z"),
            # Within what can be written and beyond what can be counted, once the offset is taken off.
            *("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "10000-01-01T00:00:00Z"),
        ):
            reply = reply_to(200, changed(AUTHORIZE, expires_at=expires_at))
            assert reply == Silence("reply without an expiry", 200), expires_at

    def test_may_say_more_than_we_ask_for(self) -> None:
        body = changed(AUTHORIZE, score=0.93, card={"number": CARD.number}, message="hello")
        assert isinstance(reply_to(200, body), Approval)


class TestAnApprovalOfSomethingElse:
    def test_of_another_amount_or_currency_is_a_mismatch(self) -> None:
        for changes, named in (
            ({"amount": 4999}, "amount"),
            ({"amount": 500000}, "amount"),
            ({"amount": 0}, "amount"),
            ({"amount": -5000}, "amount"),
            ({"amount": 10**400}, "amount"),
            ({"currency": "EUR"}, "currency"),
            ({"currency": "usd"}, "currency"),
            ({"amount": 1, "currency": "EUR"}, "amount, currency"),
        ):
            for kind in (AUTHORIZE, OperationKind.CAPTURE, OperationKind.REFUND):
                reply = reply_to(200, changed(kind, **changes), kind)
                assert reply == Mismatch(200, f"another {named} than sent"), (kind, changes)

    def test_with_another_status_is_a_mismatch(self) -> None:
        for kind, status in product(KINDS, ("declined", "pending", "APPROVED", "", "approved ")):
            reply = reply_to(200, changed(kind, status=status), kind)
            assert reply == Mismatch(200, "another status than sent"), (kind, status)

    def test_of_another_target_is_a_mismatch(self) -> None:
        for kind in (kind for kind in KINDS if kind is not AUTHORIZE):
            field = "capture_id" if kind is OperationKind.REFUND else "authorization_id"
            reply = reply_to(200, changed(kind, **{field: "auth_another"}), kind)
            assert reply == Mismatch(200, f"another {field} than sent"), kind

    def test_says_nothing_of_what_the_bank_wrote(self) -> None:
        reply = reply_to(200, changed(AUTHORIZE, status=CARD.number, currency=CARD.cvv))
        assert CARD.number not in repr(reply)
        assert CARD.cvv not in repr(reply)


class TestAnIncompleteApproval:
    def test_is_unreadable(self) -> None:
        for kind in KINDS:
            for field in APPROVALS[kind]:
                for value in (MISSING, None, True, [5000], {"value": 5000}, 5000.0, 1.5):
                    if field.endswith("_at"):
                        continue
                    reply = reply_to(200, changed(kind, **{field: value}), kind)
                    assert isinstance(reply, Silence), (kind, field, value)
                    assert reply.status == 200

    def test_of_an_amount_of_one_cent_is_not_made_up_of_a_true(self) -> None:
        reply = reply_to(200, changed(AUTHORIZE, amount=True), amount_minor=1)
        assert reply == Silence("incomplete reply", 200)

    def test_with_its_amount_as_text_is_unreadable(self) -> None:
        assert reply_to(200, changed(AUTHORIZE, amount="5000")) == Silence("incomplete reply", 200)

    def test_with_a_reference_that_is_none_is_unreadable(self) -> None:
        not_one = ("", " ", "a b", "a\n", "auth_\u00e9", "x" * 65, "<script>", "a/b", "\x00", 17, "\ud800")
        for kind, reference in product(KINDS, not_one):
            reply = reply_to(200, changed(kind, **{MADE[kind]: reference}), kind)
            assert reply == Silence("reply without a reference", 200), (kind, reference)

    def test_that_gives_the_card_back_as_its_reference_is_unreadable(self) -> None:
        for reference in (CARD.number, f"auth_{CARD.number}", "4916-3385-0608-2832", f"x{CARD.number}x"):
            reply = reply_to(200, changed(AUTHORIZE, authorization_id=reference))
            assert reply == Silence("reply without a reference", 200), reference


class TestAnUnreadable200:
    def test_is_silence(self) -> None:
        for what, body in {
            "empty": b"",
            "html": b"<html>not what you expected</html>",
            "cut off": RIGHT[:-1],
            "too much": RIGHT + b"}",
            "twice": RIGHT + RIGHT,
            "list": b"[" + RIGHT + b"]",
            "text": b'"approved"',
            "true": b"true",
            "null": b"null",
            "number": b"200",
            "not utf-8": b"\xff\xfe\x00",
            "a number of 5000 digits": RIGHT.replace(b"5000", b"5" * 5000),
            "NaN": RIGHT.replace(b"5000", b"NaN"),
            "5e3": RIGHT.replace(b"5000", b"5e3"),
            "nested lists": b"[" * 60_000,
            "nested objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        }.items():
            reply = reply_to(200, body)
            assert isinstance(reply, Silence), what
            assert reply.status == 200, what


class TestAnotherStatus:
    def test_that_is_no_error_is_silence_even_with_a_right_body(self) -> None:
        for status in (201, 202, 203, 204, 206, 226, 299, 300, 301, 302, 303, 304, 307, 308, 399):
            assert reply_to(status, RIGHT) == Silence("unexpected status", status)


class TestAnError:
    READ_AS = (
        *(
            Decline(Said(code), status, code)
            for status in (400, 402)
            for code in ("insufficient_funds", "card_expired", "invalid_card", "invalid_cvv")
        ),
        BankError(Said.AUTHORIZATION_EXPIRED, 400, "authorization_expired"),
        BankError(Said.ALREADY_USED, 400, "authorization_already_used"),
        BankError(Said.ALREADY_CAPTURED, 400, "already_captured"),
        BankError(Said.ALREADY_VOIDED, 400, "already_voided"),
        BankError(Said.ALREADY_REFUNDED, 400, "already_refunded"),
        *(
            BankError(Said.BANK_ERROR, status, code)
            for status, code in (
                *((400, "authorization_not_found"), (400, "capture_not_found"), (400, "refund_not_found")),
                *((400, "amount_mismatch"), (400, "invalid_amount"), (400, "missing_idempotency_key")),
                *((402, "a_word_of_its_own"), (404, "not_found"), (401, "unauthorized"), (418, "teapot")),
            )
        ),
        # The issuer's words, or the bank's, from somebody who is neither.
        *(
            BankError(Said.BANK_ERROR, status, code)
            for status in (401, 403, 404, 409, 422)
            for code in ("insufficient_funds", "invalid_card", "authorization_expired", "already_voided")
        ),
        NotDone(500, "internal_error"),
        NotDone(429, "slow_down"),
        NotDone(429, "insufficient_funds"),
        # A failed commit says so, too, and a bank whose database is down.
        Silence("400 internal_error", 400),
    )

    def test_is_read_into_our_words_once(self) -> None:
        for reply in self.READ_AS:
            code = getattr(reply, "code", "internal_error")
            assert reply_to(reply.status, {"error": code, "message": f"No {CARD.number} here"}) == reply

    def test_of_the_banks_own_database_ends_the_call_whoever_stands_between(self) -> None:
        for closes_when_finished in (True, False):
            body = {"error": "internal_error"}
            assert call_is_over(reply_to(400, body, closes_when_finished=closes_when_finished))

    def test_without_a_code_is_silence(self) -> None:
        without_code = (
            *(b"", b"invalid request body", b"<html>Bad Gateway</html>", {}, []),
            *({"message": "insufficient_funds"}, {"error": None}, {"error": True}, {"error": 402}),
            *({"error": ["insufficient_funds"]}, {"error": {"code": "insufficient_funds"}}, {"error": ""}),
            *({"error": "Insufficient funds."}, {"error": "insufficient_funds "}, {"error": "x" * 65}),
            *({"error": "INSUFFICIENT_FUNDS"}, {"error": CARD.number}, {"error": CARD.cvv}),
            {"error": f"card_{CARD.number}"},
        )
        for status, body in product(ERRORS, without_code):
            expected = Silence("unreadable error", status, is_over=status < 500)
            assert reply_to(status, body) == expected, (status, body)

    def test_5xx_that_the_contract_does_not_know_is_silence(self) -> None:
        for status, code in (
            (502, "bad_gateway"),
            (503, "internal_error"),
            (504, "gateway_timeout"),
            (500, "insufficient_funds"),
            (999, "insufficient_funds"),
        ):
            expected = Silence("unexpected status", status, is_over=False)
            assert reply_to(status, {"error": code}) == expected, (status, code)

    def test_that_whoever_stands_between_may_have_made_does_not_end_the_call(self) -> None:
        for status, body in ((200, b"<html>"), (201, RIGHT), (408, b"<html>"), (400, {"error": 1})):
            between = reply_to(status, body, closes_when_finished=False)
            assert isinstance(between, Silence), status
            assert (between.is_over, call_is_over(reply_to(status, body))) == (False, True), status


class TestPatience:
    def test_is_as_long_as_the_bank_asks_for_and_a_minute_at_most(self) -> None:
        headers = (
            ("Retry-After: 7", 7.0),
            ("Retry-After: 0", 0.0),
            ("retry-after:  12 ", 12.0),
            ("Retry-After: 60", 60.0),
            ("Retry-After: 61", 60.0),
            ("Retry-After: 3600", 60.0),
            ("Retry-After: " + "9" * 400, 60.0),
            *((f"Retry-After: {text}", None) for text in ("-5", "1.5", "1e9", "soon", "\u00b2", "\u0667")),
            ("Retry-After: Fri, 31 Dec 1999 23:59:59 GMT", None),
            ("Retry-After:", None),
        )
        replies = (
            (429, {"error": "slow_down"}),
            (500, {"error": "internal_error"}),
            (400, {"error": "internal_error"}),
            (503, {"error": "unavailable"}),
            (429, b"Too many requests"),
            (503, b"<html>"),
        )
        for (status, body), (header, seconds) in product(replies, headers):
            reply = reply_to(status, body, AUTHORIZE, header)
            assert isinstance(reply, NotDone | Silence)
            assert reply.retry_after == seconds, (status, body, header)
