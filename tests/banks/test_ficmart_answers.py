"""What FicMart's bank may answer, byte for byte, and what the gateway makes of it."""

import gzip
import json
from datetime import UTC, datetime, timedelta
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
    describe,
)
from payments.domain.states import OperationKind
from payments.domain.timing import Timing
from tests.banks.instructions import APPROVALS, AUTHORIZATION, CARD, MADE, instruction, send
from tests.banks.raw_server import RawServer, answers, response, says

KINDS = tuple(OperationKind)
AUTHORIZE = OperationKind.AUTHORIZE
MISSING = object()


def reply_to(
    timing: Timing, status: int, body: Any, kind: OperationKind = AUTHORIZE, **options: Any
) -> Reply:
    with RawServer(answers(status, body, **options)) as server:
        return send(FicmartBank(server.url, timing, closes_when_finished=True), kind)


def changed(kind: OperationKind, **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (APPROVALS[kind] | changes).items() if value is not MISSING}


class TestTheRequest:
    @pytest.mark.parametrize(
        ("kind", "path", "body"),
        [
            (
                AUTHORIZE,
                "authorizations",
                {
                    "card_number": CARD.number,
                    "cvv": CARD.cvv,
                    "expiry_month": 12,
                    "expiry_year": 2030,
                    "amount": 5000,
                },
            ),
            (OperationKind.CAPTURE, "captures", {"authorization_id": AUTHORIZATION, "amount": 5000}),
            (OperationKind.VOID, "voids", {"authorization_id": AUTHORIZATION}),
            (OperationKind.RELEASE, "voids", {"authorization_id": AUTHORIZATION}),
            (
                OperationKind.REFUND,
                "refunds",
                {"capture_id": AUTHORIZATION.replace("auth_", "cap_"), "amount": 5000},
            ),
        ],
    )
    def test_is_the_contracts(
        self, timing: Timing, kind: OperationKind, path: str, body: dict[str, Any]
    ) -> None:
        with RawServer(answers(200, APPROVALS[kind])) as server:
            send(FicmartBank(server.url, timing), kind)
        (request,) = server.received
        head, _, sent = request.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0] == f"POST /api/v1/{path} HTTP/1.1"
        assert {"Content-Type: application/json", "Idempotency-Key: the-key"} <= set(lines)
        assert json.loads(sent) == body

    def test_of_an_authorize_needs_the_card(self, timing: Timing) -> None:
        with RawServer(answers(200, {})) as server, pytest.raises(ValueError, match="needs the card"):
            FicmartBank(server.url, timing).send(instruction(), card=None, may_send=lambda: True)
        assert server.connections == 0


class TestAnApproval:
    @pytest.mark.parametrize("kind", KINDS)
    def test_of_what_was_sent_carries_the_banks_reference(self, timing: Timing, kind: OperationKind) -> None:
        reply = reply_to(timing, 200, APPROVALS[kind], kind)
        expires_at = datetime(2026, 11, 28, 9, 30, 0, 123456, tzinfo=UTC) if kind is AUTHORIZE else None
        assert reply == Approval(200, APPROVALS[kind][MADE[kind]], replayed=False, expires_at=expires_at)

    @pytest.mark.parametrize(
        ("header", "replayed"),
        [
            ("X-Idempotent-Replayed: true", True),
            ("x-idempotent-replayed: TRUE", True),
            ("X-Idempotent-Replayed: false", False),
            ("X-Idempotent-Replayed:", False),
            ("X-Other: true", False),
        ],
    )
    def test_says_whether_it_is_a_stored_one(self, timing: Timing, header: str, replayed: bool) -> None:
        reply = reply_to(timing, 200, APPROVALS[AUTHORIZE], headers=[header])
        assert isinstance(reply, Approval)
        assert reply.replayed is replayed

    @pytest.mark.parametrize(
        ("text", "expires_at"),
        [
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
        ],
    )
    def test_of_a_hold_says_when_it_ends(self, timing: Timing, text: str, expires_at: datetime) -> None:
        reply = reply_to(timing, 200, changed(AUTHORIZE, expires_at=text))
        assert isinstance(reply, Approval)
        assert reply.expires_at == expires_at
        assert reply.expires_at.utcoffset() == timedelta(0)

    @pytest.mark.parametrize(
        "expires_at",
        [
            *(MISSING, None, "", 0, 1795858200, True, [], {}, "soon", "2026-11-28", "2026-11-28T09:30:00"),
            *("2026-11-28T09:30:00.123456789", "2026-02-30T00:00:00Z", "2026-11-28T23:59:60Z"),
            # Within what can be written and beyond what can be counted, once the offset is taken off.
            *("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "10000-01-01T00:00:00Z"),
        ],
    )
    def test_of_a_hold_without_an_end_is_unreadable(self, timing: Timing, expires_at: Any) -> None:
        reply = reply_to(timing, 200, changed(AUTHORIZE, expires_at=expires_at))
        assert reply == Silence("answer without an expiry", 200)

    def test_may_say_more_than_we_ask_for(self, timing: Timing) -> None:
        body = changed(AUTHORIZE, score=0.93, card={"number": CARD.number}, message="hello")
        assert isinstance(reply_to(timing, 200, body), Approval)


class TestAnApprovalOfSomethingElse:
    @pytest.mark.parametrize("kind", [kind for kind in KINDS if "amount" in APPROVALS[kind]])
    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"amount": 4999}, "amount"),
            ({"amount": 500000}, "amount"),
            ({"amount": 0}, "amount"),
            ({"amount": -5000}, "amount"),
            ({"amount": 10**400}, "amount"),
            ({"currency": "EUR"}, "currency"),
            ({"currency": "usd"}, "currency"),
            ({"amount": 1, "currency": "EUR"}, "amount, currency"),
        ],
    )
    def test_of_another_amount_or_currency_is_a_mismatch(
        self, timing: Timing, kind: OperationKind, changes: dict[str, Any], named: str
    ) -> None:
        reply = reply_to(timing, 200, changed(kind, **changes), kind)
        assert reply == Mismatch(200, f"another {named} than sent")

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("status", ["declined", "pending", "APPROVED", "", "approved "])
    def test_with_another_status_is_a_mismatch(
        self, timing: Timing, kind: OperationKind, status: str
    ) -> None:
        assert reply_to(timing, 200, changed(kind, status=status), kind) == Mismatch(
            200, "another status than sent"
        )

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not AUTHORIZE])
    def test_of_another_target_is_a_mismatch(self, timing: Timing, kind: OperationKind) -> None:
        field = "capture_id" if kind is OperationKind.REFUND else "authorization_id"
        reply = reply_to(timing, 200, changed(kind, **{field: "auth_another"}), kind)
        assert reply == Mismatch(200, f"another {field} than sent")

    def test_says_nothing_of_what_the_bank_wrote(self, timing: Timing) -> None:
        reply = reply_to(timing, 200, changed(AUTHORIZE, status=CARD.number, currency=CARD.cvv))
        assert CARD.number not in repr(reply)
        assert CARD.cvv not in repr(reply)


class TestAnIncompleteApproval:
    @pytest.mark.parametrize(
        ("kind", "field"),
        [(kind, field) for kind in KINDS for field in APPROVALS[kind] if field[-3:] != "_at"],
    )
    @pytest.mark.parametrize("value", [MISSING, None, True, [5000], {"value": 5000}, 5000.0, 1.5])
    def test_is_unreadable(self, timing: Timing, kind: OperationKind, field: str, value: Any) -> None:
        reply = reply_to(timing, 200, changed(kind, **{field: value}), kind)
        assert isinstance(reply, Silence)
        assert reply.status == 200

    def test_of_an_amount_of_one_cent_is_not_made_up_of_a_true(self, timing: Timing) -> None:
        with RawServer(answers(200, changed(AUTHORIZE, amount=True))) as server:
            reply = send(FicmartBank(server.url, timing, closes_when_finished=True), amount_minor=1)
        assert reply == Silence("incomplete answer", 200)

    def test_with_its_amount_as_text_is_unreadable(self, timing: Timing) -> None:
        assert reply_to(timing, 200, changed(AUTHORIZE, amount="5000")) == Silence("incomplete answer", 200)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(
        "reference", ["", " ", "a b", "a\n", "auth_\u00e9", "x" * 65, "<script>", "a/b", "\x00", 17, "\ud800"]
    )
    def test_with_a_reference_that_is_none_is_unreadable(
        self, timing: Timing, kind: OperationKind, reference: Any
    ) -> None:
        reply = reply_to(timing, 200, changed(kind, **{MADE[kind]: reference}), kind)
        assert reply == Silence("answer without a reference", 200)

    @pytest.mark.parametrize(
        "reference", [CARD.number, f"auth_{CARD.number}", "4916-3385-0608-2832", f"x{CARD.number}x"]
    )
    def test_that_gives_the_card_back_as_its_reference_is_unreadable(
        self, timing: Timing, reference: str
    ) -> None:
        reply = reply_to(timing, 200, changed(AUTHORIZE, authorization_id=reference))
        assert reply == Silence("answer without a reference", 200)


RIGHT = json.dumps(APPROVALS[AUTHORIZE]).encode()


class TestAnUnreadable200:
    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"<html>not what you expected</html>", id="html"),
            pytest.param(RIGHT[:-1], id="cut off"),
            pytest.param(RIGHT + b"}", id="too much"),
            pytest.param(RIGHT + RIGHT, id="twice"),
            pytest.param(b"[" + RIGHT + b"]", id="list"),
            pytest.param(b'"approved"', id="text"),
            pytest.param(b"true", id="true"),
            pytest.param(b"null", id="null"),
            pytest.param(b"200", id="number"),
            pytest.param(b"\xff\xfe\x00", id="not utf-8"),
            pytest.param(RIGHT.replace(b"5000", b"5" * 5000), id="a number of 5000 digits"),
            pytest.param(RIGHT.replace(b"5000", b"NaN"), id="NaN"),
            pytest.param(RIGHT.replace(b"5000", b"5e3"), id="5e3"),
            pytest.param(b"[" * 60_000, id="nested lists"),
            pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, id="nested objects"),
            pytest.param(RIGHT + b" " * 70_000, id="right, and 70 KB long"),
            pytest.param(b"a" * 30_000_000, id="30 MB"),
        ],
    )
    def test_is_silence(self, timing: Timing, body: bytes) -> None:
        reply = reply_to(timing, 200, body)
        assert isinstance(reply, Silence)
        assert reply.status == 200

    def test_that_unpacks_to_gigabytes_is_read_no_further_than_any_other(self, timing: Timing) -> None:
        bomb = gzip.compress(b"a" * 50_000_000)
        reply = reply_to(timing, 200, bomb, headers=["Content-Encoding: gzip"])
        assert reply == Silence("unreadable answer", 200)

    def test_with_a_body_longer_than_an_answer_is_not_read_to_its_end(self, timing: Timing) -> None:
        sent = 0

        def endless(connection: Any) -> None:
            nonlocal sent
            connection.read_request()
            connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.send(b"a" * 65536)
                sent += 65536

        with RawServer(endless) as server:
            assert isinstance(send(FicmartBank(server.url, timing)), Silence)
        assert sent < 50_000_000


class TestAnotherStatus:
    @pytest.mark.parametrize("status", [201, 202, 203, 204, 206, 226, 299, 300, 304, 399])
    def test_that_is_no_error_is_silence_even_with_a_right_body(self, timing: Timing, status: int) -> None:
        reply = reply_to(timing, status, b"" if status in (204, 304) else RIGHT)
        assert reply == Silence("unexpected status", status)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_that_points_elsewhere_is_not_followed(self, timing: Timing, status: int) -> None:
        with RawServer(answers(200, APPROVALS[AUTHORIZE])) as elsewhere:
            location = f"Location: {elsewhere.url}/api/v1/authorizations"
            reply = reply_to(timing, status, RIGHT, headers=[location])
            assert elsewhere.connections == 0
        assert reply == Silence("unexpected status", status)

    @pytest.mark.parametrize("location", ["http://[", "http://a:b:c/", "//", "\u00ff", "x" * 5000])
    def test_that_points_nowhere_is_silence(self, timing: Timing, location: str) -> None:
        raw = b"HTTP/1.1 302 Found\r\nLocation: " + location.encode() + b"\r\nContent-Length: 0\r\n\r\n"
        with RawServer(says(raw)) as server:
            reply = send(FicmartBank(server.url, timing, closes_when_finished=True))
        assert reply == Silence("unexpected status", 302)

    def test_of_a_redirect_with_an_endless_body_is_not_read_to_its_end(self, timing: Timing) -> None:
        raw = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n" + b"a" * 30_000_000
        sent = []

        def endless(connection: Any) -> None:
            connection.read_request()
            connection.send(raw)
            sent.append(len(raw))

        with RawServer(endless) as server:
            bank = FicmartBank(server.url, timing, closes_when_finished=True)
            assert send(bank) == Silence("unexpected status", 302)
        assert sent == []


class TestAnError:
    @pytest.mark.parametrize(
        "reply",
        [
            *(
                Decline(Said(code), status, code)
                for status in (400, 402)
                for code in ("insufficient_funds", "card_expired", "invalid_card", "invalid_cvv")
            ),
            BankError(Said.AUTHORIZATION_EXPIRED, 400, "authorization_expired"),
            BankError(Said.ALREADY_USED, 400, "authorization_already_used"),
            *(
                BankError(Said(code), 400, code)
                for code in ("already_captured", "already_voided", "already_refunded")
            ),
            *(
                BankError(Said.BANK_ERROR, status, code)
                for status, code in (
                    *(
                        (400, "authorization_not_found"),
                        (400, "capture_not_found"),
                        (400, "refund_not_found"),
                    ),
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
        ],
        ids=describe,
    )
    def test_is_read_into_our_words_once(self, timing: Timing, reply: Reply) -> None:
        status = reply.status
        code = getattr(reply, "code", "internal_error")
        body = {"error": code, "message": f"No {CARD.number} here"}
        assert reply_to(timing, status, body) == reply

    @pytest.mark.parametrize("closes_when_finished", [True, False])
    def test_of_the_banks_own_database_ends_the_call_whoever_stands_between(
        self, timing: Timing, closes_when_finished: bool
    ) -> None:
        with RawServer(answers(400, {"error": "internal_error"})) as server:
            bank = FicmartBank(server.url, timing, closes_when_finished=closes_when_finished)
            assert call_is_over(send(bank))

    @pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 422, 429, 500, 502, 503, 504])
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"invalid request body",
            b"<html>Bad Gateway</html>",
            {},
            [],
            {"message": "insufficient_funds"},
            {"error": None},
            {"error": True},
            {"error": 402},
            {"error": ["insufficient_funds"]},
            {"error": {"code": "insufficient_funds"}},
            {"error": ""},
            {"error": "Insufficient funds."},
            {"error": "insufficient_funds "},
            {"error": "INSUFFICIENT_FUNDS"},
            {"error": "x" * 65},
            {"error": CARD.number},
            {"error": CARD.cvv},
            {"error": f"card_{CARD.number}"},
        ],
        ids=str,
    )
    def test_without_a_code_is_silence(self, timing: Timing, status: int, body: Any) -> None:
        assert reply_to(timing, status, body) == Silence("unreadable error", status, is_over=status < 500)

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (502, "bad_gateway"),
            (503, "internal_error"),
            (504, "gateway_timeout"),
            (500, "insufficient_funds"),
        ],
    )
    def test_5xx_that_the_contract_does_not_know_is_silence(
        self, timing: Timing, status: int, code: str
    ) -> None:
        assert reply_to(timing, status, {"error": code}) == Silence(
            "unexpected status", status, is_over=False
        )

    def test_with_a_status_beyond_all_is_silence(self, timing: Timing) -> None:
        assert reply_to(timing, 999, {"error": "insufficient_funds"}) == Silence(
            "unexpected status", 999, is_over=False
        )


class TestPatience:
    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("Retry-After: 7", 7.0),
            ("Retry-After: 0", 0.0),
            ("retry-after:  12 ", 12.0),
            ("Retry-After: 3600", 60.0),
            ("Retry-After: " + "9" * 400, 60.0),
            ("Retry-After: -5", None),
            ("Retry-After: 1.5", None),
            ("Retry-After: 1e9", None),
            ("Retry-After: soon", None),
            ("Retry-After: \u00b2", None),
            ("Retry-After: Fri, 31 Dec 1999 23:59:59 GMT", None),
            ("Retry-After:", None),
        ],
    )
    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (429, {"error": "slow_down"}),
            (500, {"error": "internal_error"}),
            (503, {"error": "unavailable"}),
            (429, b"Too many requests"),
            (503, b"<html>"),
        ],
        ids=str,
    )
    def test_is_as_long_as_the_bank_asks_for_and_a_minute_at_most(
        self, timing: Timing, status: int, body: Any, header: str, seconds: float | None
    ) -> None:
        reply = reply_to(timing, status, body, headers=[header])
        assert isinstance(reply, NotDone | Silence)
        assert reply.retry_after == seconds


class TestNoise:
    @pytest.mark.parametrize(
        "raw",
        [
            pytest.param(b"\r\n\r\n", id="empty lines"),
            pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another protocol"),
            pytest.param(b"HTTP/1.1 abc Huh\r\n\r\n", id="no status"),
            pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", id="200 headers"),
            pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", id="a long header"),
            pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", id="shorter than it says"),
            pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n", id="no length"),
            pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="no chunk"),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + RIGHT[:40], id="cut chunk"
            ),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + f"{len(RIGHT):x}\r\n".encode()
                + RIGHT
                + b"\r\n",
                id="right, and no last chunk",
            ),
            pytest.param(response(200, RIGHT, length=len(RIGHT) + 1), id="right, and a byte is missing"),
            pytest.param(response(200, b"junk", headers=["Content-Encoding: gzip"]), id="not gzip"),
            pytest.param(b"\x00" * 1000, id="zeros"),
            pytest.param(b"\xff" * 100_000, id="bytes"),
        ],
    )
    def test_is_silence(self, timing: Timing, raw: bytes) -> None:
        with RawServer(says(raw)) as server:
            assert isinstance(send(FicmartBank(server.url, timing)), Silence)
        assert len(server.received) == 1

    def test_before_an_answer_is_waited_through(self, timing: Timing) -> None:
        with RawServer(says(b"HTTP/1.1 100 Continue\r\n\r\n" + response(200, RIGHT))) as server:
            assert isinstance(send(FicmartBank(server.url, timing)), Approval)

    def test_an_answer_in_chunks_is_read(self, timing: Timing) -> None:
        chunks = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (RIGHT[:50], RIGHT[50:]))
        raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        with RawServer(says(raw)) as server:
            assert isinstance(send(FicmartBank(server.url, timing)), Approval)

    def test_a_second_answer_that_nobody_asked_for_is_not_taken_for_the_next(self, timing: Timing) -> None:
        other = json.dumps(changed(AUTHORIZE, authorization_id="auth_of_nobody")).encode()
        with RawServer(says(response(200, RIGHT) + response(200, other)), answers(200, RIGHT)) as server:
            bank = FicmartBank(server.url, timing)
            replies = [send(bank), send(bank)]
        assert [isinstance(reply, Approval) and reply.reference for reply in replies] == [AUTHORIZATION] * 2
