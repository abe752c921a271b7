"""Contract, the call: what is asked, what is answered, and what decides."""

import pytest

from tests.banks.acquirer_contract.client import (
    CVV,
    Acquirer,
    code,
    is_unavailable,
    number_ending_in,
    our_fault,
    payment,
)
from tests.banks.acquirer_contract.conftest import Control

MALFORMED = {
    "card_number": ["4" * 13, "4" * 20, "4000 0000 0000 0001", "400000000000000x", "", 4000000000000001],
    "expiry_date": ["4/2030", "04/30", "00/2030", "13/2030", "2030-04", "0420301", "", 42030],
    "currency": ["JPY", "usd", "DOLLAR", "", 840],
    "amount": ["100", 1.5, True, {}],
    "cvv": ["12", "12345", "12x", "", 123],
}
NO_SUCH_CALLS = [
    ("POST", "/payments/{}/capture"),
    ("POST", "/payments/{}/void"),
    ("POST", "/payments/{}/refund"),
    ("POST", "/captures"),
    ("POST", "/voids"),
    ("POST", "/refunds"),
    ("GET", "/payments"),
    ("GET", "/payments/{}"),
    ("GET", "/health"),
    ("GET", "/statements"),
]


class TestDecisions:
    def test_an_odd_last_digit_is_authorized_with_a_new_code(self, acquirer: Acquirer) -> None:
        """200 `{"authorized": true, "authorization_code": "<uuid>"}`."""
        answers = [acquirer.pay_patiently(card_number=number_ending_in(digit)) for digit in (1, 3, 5, 7, 9)]
        assert len({code(answer) for answer in answers}) == 5
        assert all(answer.headers["Content-Type"].startswith("application/json") for answer in answers)

    def test_an_even_last_digit_is_not_authorized_and_gets_no_reason(self, acquirer: Acquirer) -> None:
        """200 `{"authorized": false, "authorization_code": ""}`."""
        for digit in (2, 4, 6, 8):
            answer = acquirer.pay_patiently(card_number=number_ending_in(digit))
            assert answer.status_code == 200
            assert answer.json() == {"authorized": False, "authorization_code": ""}

    def test_a_last_digit_of_zero_is_503_with_an_empty_body_each_time(self, acquirer: Acquirer) -> None:
        answers = [acquirer.pay(card_number=number_ending_in(0)) for _ in range(3)]
        assert all(is_unavailable(answer) for answer in answers)

    def test_a_payment_is_in_dollars_pounds_or_euros(self, acquirer: Acquirer) -> None:
        codes = {code(acquirer.pay_patiently(currency=currency)) for currency in ("USD", "GBP", "EUR")}
        assert len(codes) == 3

    def test_a_card_number_has_14_to_19_digits_and_a_cvv_3_or_4(self, acquirer: Acquirer) -> None:
        for card_number, cvv in (("4" * 13 + "1", CVV), ("4" * 18 + "1", "1234")):
            assert code(acquirer.pay_patiently(card_number=card_number, cvv=cvv))

    @pytest.mark.control_plane
    def test_it_decides_on_what_it_was_asked_for(self, acquirer: Acquirer, control: Control) -> None:
        authorized = code(acquirer.pay(amount=4321, currency="GBP"))
        acquirer.pay(amount=7, currency="EUR", card_number=number_ending_in(2))
        yes, no = control.decisions()
        assert (yes.authorized, yes.authorization_code) == (True, authorized)
        assert (yes.amount, yes.currency, yes.card_last4) == (4321, "GBP", "0001")
        assert (no.authorized, no.authorization_code) == (False, "")
        assert (no.amount, no.currency, no.card_last4) == (7, "EUR", "0002")


class TestOurFaults:
    @pytest.mark.parametrize("name", list(MALFORMED))
    def test_a_missing_or_malformed_field_is_a_400_with_a_message(
        self, acquirer: Acquirer, name: str
    ) -> None:
        """400 `{"error_message": "..."}`."""
        for value in (None, *MALFORMED[name]):
            assert our_fault(acquirer.pay_patiently(**{name: value}))

    def test_a_body_that_is_no_json_object_is_one_too(self, acquirer: Acquirer) -> None:
        for body in (b"", b"{", b"[]", b"null", b"\xff", str(payment()).encode()):
            assert our_fault(acquirer.patiently(data=body))

    @pytest.mark.control_plane
    def test_nothing_was_executed(self, acquirer: Acquirer, control: Control) -> None:
        acquirer.pay(cvv=None)
        acquirer.pay(currency="JPY")
        acquirer.send("POST", "/payments", data=b"{")
        assert control.decisions() == []


class TestWhatItIsNot:
    def test_it_has_one_call(self, acquirer: Acquirer) -> None:
        """No capture, void or refund, no look-up, no health endpoint, no statement file."""
        authorized = code(acquirer.pay_patiently())
        for method, path in NO_SUCH_CALLS:
            answer = acquirer.send(method, path.format(authorized), json=payment())
            assert answer.status_code in {404, 405}, (method, path)

    def test_a_second_call_is_a_second_authorization_whatever_key_comes_with_it(
        self, acquirer: Acquirer
    ) -> None:
        """There is no key."""
        both = [acquirer.patiently(json=payment(), headers={"Idempotency-Key": "one"}) for _ in range(2)]
        assert len({code(answer) for answer in both}) == 2
