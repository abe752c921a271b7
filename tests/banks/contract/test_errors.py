"""Contract, "Errors": which instructions get a bank error or an issuer decline, and with which code."""

from typing import Any

import pytest

from tests.banks.contract.client import EMPTY, EXPIRED, MODEST, RICH, Bank, code, new_key

UNKNOWN_HOLD = "auth_00000000-0000-4000-8000-000000000000"
UNKNOWN_CAPTURE = "cap_00000000-0000-4000-8000-000000000000"


class TestCardJudgement:
    @pytest.mark.parametrize(
        "number",
        [
            pytest.param("4111111111111112", id="fails Luhn"),
            pytest.param("424242424242", id="12 digits"),
            pytest.param("42424242424242424242", id="20 digits"),
            pytest.param("4111-1111-1111-1111", id="not only digits"),
            pytest.param("", id="empty"),
            pytest.param(None, id="missing"),
        ],
    )
    def test_a_number_that_is_no_card_number_is_an_invalid_card(self, bank: Bank, number: str | None) -> None:
        """`card_number` (13-19 digits, Luhn): else 400 `invalid_card`."""
        answer = bank.instruct("authorizations", RICH.authorization(card_number=number))
        assert (answer.status_code, code(answer)) == (400, "invalid_card")

    @pytest.mark.parametrize(
        "number",
        [
            pytest.param("4222222222222", id="13 digits"),
            pytest.param("4000000000000002", id="16 digits"),
            pytest.param("4000000000000000006", id="19 digits"),
        ],
    )
    def test_a_card_the_bank_has_not_issued_is_an_invalid_card(self, bank: Bank, number: str) -> None:
        """A well-formed number that no card has is `invalid_card` too: what a probe relies on."""
        answer = bank.instruct("authorizations", RICH.authorization(card_number=number))
        assert (answer.status_code, code(answer)) == (400, "invalid_card")

    @pytest.mark.parametrize("cvv", ["12", "12345", "12a", "", None])
    def test_a_cvv_is_three_or_four_digits(self, bank: Bank, cvv: str | None) -> None:
        """`cvv` (3-4 digits): else 400 `invalid_cvv`."""
        answer = bank.instruct("authorizations", RICH.authorization(cvv=cvv))
        assert (answer.status_code, code(answer)) == (400, "invalid_cvv")

    @pytest.mark.parametrize("cvv", ["124", "1234"])
    def test_the_cvv_is_compared(self, bank: Bank, cvv: str) -> None:
        """The CVV is compared with the card's."""
        answer = bank.instruct("authorizations", RICH.authorization(cvv=cvv))
        assert (answer.status_code, code(answer)) == (400, "invalid_cvv")

    @pytest.mark.parametrize(("month", "year"), [(1, 2029), (1, 2020)])
    def test_the_expiry_of_the_request_is_not_compared(self, bank: Bank, month: int, year: int) -> None:
        """The expiry date of the request is not compared with the card's: not even a past one."""
        body = RICH.authorization(expiry_month=month, expiry_year=year)
        assert bank.instruct("authorizations", body).status_code == 200

    def test_a_card_expires_by_the_record_of_the_bank(self, bank: Bank) -> None:
        """The bank judges by its own record of the card: `card_expired`, whatever the request says."""
        body = EXPIRED.authorization(expiry_month=12, expiry_year=2030)
        answer = bank.instruct("authorizations", body)
        assert (answer.status_code, code(answer)) == (400, "card_expired")

    def test_a_card_without_money_has_insufficient_funds(self, bank: Bank) -> None:
        """402 for `insufficient_funds`, the only decline with a status of its own."""
        answer = bank.authorize(1, card=EMPTY)
        assert (answer.status_code, code(answer)) == (402, "insufficient_funds")

    @pytest.mark.parametrize("card", [RICH, MODEST], ids=["4111...", "4242..."])
    def test_a_card_does_not_give_more_than_its_balance(self, bank: Bank, card: Any) -> None:
        """One cent more than the balance in the table of test cards is refused."""
        answer = bank.authorize(card.balance_cents + 1, card=card)
        assert (answer.status_code, code(answer)) == (402, "insufficient_funds")

    @pytest.mark.parametrize("amount", [0, -1, None])
    def test_an_amount_is_at_least_one_cent(self, bank: Bank, amount: int | None) -> None:
        """`amount` >= 1: else 400 `invalid_amount`."""
        body = {**RICH.authorization(), "amount": amount} if amount is not None else RICH.authorization()
        if amount is None:
            del body["amount"]
        answer = bank.instruct("authorizations", body)
        assert (answer.status_code, code(answer)) == (400, "invalid_amount")


class TestReferences:
    def test_a_capture_of_no_authorization_is_refused(self, bank: Bank) -> None:
        """400 `authorization_not_found`."""
        answer = bank.capture(UNKNOWN_HOLD)
        assert (answer.status_code, code(answer)) == (400, "authorization_not_found")

    def test_a_void_of_no_authorization_is_refused(self, bank: Bank) -> None:
        """400 `authorization_not_found`."""
        answer = bank.void(UNKNOWN_HOLD)
        assert (answer.status_code, code(answer)) == (400, "authorization_not_found")

    def test_a_refund_of_no_capture_is_refused(self, bank: Bank) -> None:
        """400 `capture_not_found`."""
        answer = bank.refund(UNKNOWN_CAPTURE)
        assert (answer.status_code, code(answer)) == (400, "capture_not_found")

    def test_a_refund_of_an_authorization_is_refused(self, bank: Bank) -> None:
        """A refund takes a capture: an authorization, captured or not, is `capture_not_found`."""
        answer = bank.refund(bank.a_hold())
        assert (answer.status_code, code(answer)) == (400, "capture_not_found")


class TestPlainText:
    """What the bank says before it thinks of JSON."""

    PATHS = ("authorizations", "captures", "voids", "refunds")

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize(
        "body", [b"", b"{", b"card_number=4111", b'"text"'], ids=["empty", "cut", "form", "no object"]
    )
    def test_an_unreadable_body_is_a_400_in_plain_text(self, bank: Bank, path: str, body: bytes) -> None:
        """An unreadable body gives 400 with plain text, not JSON."""
        answer = bank.patiently("POST", f"/api/v1/{path}", data=body, key=new_key())
        assert answer.status_code == 400
        assert answer.headers["Content-Type"].startswith("text/plain")

    @pytest.mark.parametrize("path", PATHS)
    def test_a_missing_idempotency_key_is_a_400_in_plain_text(self, bank: Bank, path: str) -> None:
        """A missing `Idempotency-Key` gives 400 with plain text, not JSON."""
        answer = bank.patiently("POST", f"/api/v1/{path}", json=RICH.authorization())
        assert answer.status_code == 400
        assert answer.headers["Content-Type"].startswith("text/plain")

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/"),
            ("GET", "/api/v1/nothing"),
            ("POST", "/api/v1/nothing"),
            ("GET", "/api/v2/captures/x"),
        ],
    )
    def test_an_unknown_path_is_a_404_in_plain_text(self, bank: Bank, method: str, path: str) -> None:
        """An unknown path gives 404 with plain text."""
        answer = bank.patiently(method, path)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith("text/plain")
