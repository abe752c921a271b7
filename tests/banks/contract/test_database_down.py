"""Contract, "Errors": what the bank says while its own database is down, and who tells the truth then."""

from typing import Any

import pytest

from tests.banks.contract.client import RICH, Bank, code, is_replay, new_key
from tests.banks.contract.control import Control

pytestmark = pytest.mark.control_plane

WELL_FORMED = {
    "authorizations": RICH.authorization(),
    "captures": {"authorization_id": "auth_00000000-0000-4000-8000-000000000000", "amount": 1},
    "voids": {"authorization_id": "auth_00000000-0000-4000-8000-000000000000"},
    "refunds": {"capture_id": "cap_00000000-0000-4000-8000-000000000000", "amount": 1},
}


class TestDatabaseDown:
    @pytest.mark.parametrize("path", WELL_FORMED)
    def test_a_well_formed_post_is_a_400_internal_error(
        self, bank: Bank, control: Control, path: str
    ) -> None:
        """A POST whose body is well-formed answers 400 with `internal_error`."""
        control.database_down(True)
        answer = bank.instruct(path, WELL_FORMED[path])
        assert (answer.status_code, code(answer)) == (400, "internal_error")

    def test_an_internal_error_is_transient_and_nothing_was_done(self, bank: Bank, control: Control) -> None:
        """So 400 `internal_error` is transient: the same key and body is executed once the bank is back."""
        key = new_key()
        control.database_down(True)
        assert code(bank.authorize(key=key)) == "internal_error"
        control.database_down(False)
        answer = bank.authorize(key=key)
        assert answer.status_code == 200
        assert not is_replay(answer)
        assert len(control.entries(key)) == 1

    def test_every_get_is_not_found(self, bank: Bank, control: Control) -> None:
        """Every GET answers 404 `not_found`: a 404 means "not there" only from a healthy bank."""
        hold = bank.a_hold()
        capture = bank.a_capture()
        refund = bank.refund(bank.a_capture()).json()["refund_id"]
        paths = [f"authorizations/{hold}", f"captures/{capture}", f"refunds/{refund}"]
        control.database_down(True)
        for path in paths:
            answer = bank.read(path)
            assert (answer.status_code, code(answer)) == (404, "not_found")
        control.database_down(False)
        assert [bank.read(path).status_code for path in paths] == [200, 200, 200]

    def test_stored_replies_are_not_found(self, bank: Bank, control: Control) -> None:
        """Stored replies are not found while the database is down, and are there again after it."""
        key = new_key()
        first = bank.authorize(key=key)
        control.database_down(True)
        meanwhile = bank.authorize(key=key)
        assert (meanwhile.status_code, code(meanwhile)) == (400, "internal_error")
        control.database_down(False)
        again = bank.authorize(key=key)
        assert is_replay(again)
        assert again.content == first.content

    def test_only_health_tells_the_truth(self, bank: Bank, control: Control) -> None:
        """Only `/health` tells the truth with 503 `{"status": "unhealthy"}`."""
        control.database_down(True)
        answer = bank.send("GET", "/health")
        assert (answer.status_code, answer.json()) == (503, {"status": "unhealthy"})

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"card_number": "4111111111111112"}, "invalid_card"),  # fails Luhn
            ({"card_number": "424242424242"}, "invalid_card"),  # 12 digits
            ({"card_number": "42424242424242424242"}, "invalid_card"),  # 20 digits
            ({"cvv": "12"}, "invalid_cvv"),
            ({"cvv": "12345"}, "invalid_cvv"),
            ({"amount": 0}, "invalid_amount"),
        ],
    )
    def test_luhn_cvv_form_and_amount_are_judged_even_then(
        self, bank: Bank, control: Control, change: dict[str, Any], expected: str
    ) -> None:
        """Luhn, CVV form and amount are judged before the database is asked: their own 400 even then."""
        control.database_down(True)
        answer = bank.instruct("authorizations", {**RICH.authorization(), **change})
        assert (answer.status_code, code(answer)) == (400, expected)

    def test_an_unreadable_body_is_plain_text_even_then(self, bank: Bank, control: Control) -> None:
        """Only a POST whose body is well-formed answers `internal_error`."""
        control.database_down(True)
        answer = bank.patiently("POST", "/api/v1/authorizations", data=b"{", key=new_key())
        assert answer.status_code == 400
        assert answer.headers["Content-Type"].startswith("text/plain")


class TestDatabaseFailingMidway:
    """A database that fails in the middle of a request surfaces as a decline that is none."""

    def test_an_authorization_surfaces_as_an_invalid_card(self, bank: Bank, control: Control) -> None:
        """400 `invalid_card`, for a card that is valid; nothing was done."""
        key = new_key()
        control.script("authorizations", "database_fails_midway")
        answer = bank.authorize(key=key)
        assert (answer.status_code, code(answer)) == (400, "invalid_card")
        assert not control.entries(key)
        assert bank.authorize(key=key).status_code == 200

    def test_a_capture_surfaces_as_authorization_not_found(self, bank: Bank, control: Control) -> None:
        """400 `authorization_not_found`, for an authorization that is there; nothing was done."""
        hold = bank.a_hold()
        control.script("captures", "database_fails_midway")
        answer = bank.capture(hold)
        assert (answer.status_code, code(answer)) == (400, "authorization_not_found")
        assert bank.capture(hold).status_code == 200

    def test_a_void_surfaces_as_authorization_not_found(self, bank: Bank, control: Control) -> None:
        """400 `authorization_not_found`, for an authorization that is there; nothing was done."""
        hold = bank.a_hold()
        control.script("voids", "database_fails_midway")
        answer = bank.void(hold)
        assert (answer.status_code, code(answer)) == (400, "authorization_not_found")
        assert bank.void(hold).status_code == 200

    def test_a_refund_surfaces_as_capture_not_found(self, bank: Bank, control: Control) -> None:
        """400 `capture_not_found`, for a capture that is there; nothing was done."""
        capture = bank.a_capture()
        control.script("refunds", "database_fails_midway")
        answer = bank.refund(capture)
        assert (answer.status_code, code(answer)) == (400, "capture_not_found")
        assert bank.refund(capture).status_code == 200
