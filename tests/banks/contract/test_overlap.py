"""Contract, "Idempotency": calls with one key that are in flight at the same time.

Each sentence twice where that is possible: without the control plane by trying often enough, and with it
by holding the calls where they have been looked up and not yet been executed.
"""

from collections.abc import Callable

import pytest
import requests

from tests.banks.contract.client import Bank, code, is_replay, new_key
from tests.banks.contract.control import Control

TRIES = 30
"""Where nothing holds the calls together they may miss each other, at a bank that answers within a
millisecond above all; so often in a row they do not.
"""


class TestAuthorizations:
    def test_the_look_up_does_not_lock(self, bank: Bank) -> None:
        """Two requests with the same key in flight at the same time are both executed."""
        for _ in range(TRIES):
            key = new_key()
            answers = bank.at_once(3, lambda one, key=key: one.authorize(key=key))
            assert {answer.status_code for answer in answers} == {200}
            if len({answer.json()["authorization_id"] for answer in answers}) > 1:
                return
        pytest.fail(f"three calls with one key made one hold only, {TRIES} times over")

    @pytest.mark.control_plane
    def test_three_at_once_with_one_key_make_three_holds(self, bank: Bank, control: Control) -> None:
        """Three concurrent authorizations with one key made three holds."""
        key = new_key()
        answers = _held_together(bank, control, "authorizations", lambda one: one.authorize(key=key))
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert not any(is_replay(answer) for answer in answers)
        assert len({answer.json()["authorization_id"] for answer in answers}) == 3
        assert len(control.entries(key)) == 3


class TestTheRest:
    """Captures, voids and refunds are saved by the ledger's own rule: the losers get an error."""

    def test_captures_at_once_with_one_key_capture_once(self, bank: Bank) -> None:
        for _ in range(TRIES):
            hold, key = bank.a_hold(), new_key()
            answers = bank.at_once(3, lambda one, hold=hold, key=key: one.capture(hold, key=key))
            if _some_lost(answers, "capture_id", {"authorization_already_used", "already_captured"}):
                return

    def test_voids_at_once_with_one_key_void_once(self, bank: Bank) -> None:
        for _ in range(TRIES):
            hold, key = bank.a_hold(), new_key()
            answers = bank.at_once(3, lambda one, hold=hold, key=key: one.void(hold, key=key))
            if _some_lost(answers, "void_id", {"authorization_already_used", "already_voided"}):
                return

    def test_refunds_at_once_with_one_key_refund_once(self, bank: Bank) -> None:
        for _ in range(TRIES):
            capture, key = bank.a_capture(), new_key()
            answers = bank.at_once(3, lambda one, capture=capture, key=key: one.refund(capture, key=key))
            if _some_lost(answers, "refund_id", {"already_refunded"}):
                return

    @pytest.mark.control_plane
    def test_of_three_captures_that_overlap_two_get_an_error(self, bank: Bank, control: Control) -> None:
        hold, key = bank.a_hold(), new_key()
        answers = _held_together(bank, control, "captures", lambda one: one.capture(hold, key=key))
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400]
        assert len(control.entries(key)) == 1

    @pytest.mark.control_plane
    def test_of_three_voids_that_overlap_two_get_an_error(self, bank: Bank, control: Control) -> None:
        hold, key = bank.a_hold(), new_key()
        answers = _held_together(bank, control, "voids", lambda one: one.void(hold, key=key))
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400]
        assert len(control.entries(key)) == 1

    @pytest.mark.control_plane
    def test_of_three_refunds_that_overlap_two_get_an_error(self, bank: Bank, control: Control) -> None:
        capture, key = bank.a_capture(), new_key()
        answers = _held_together(bank, control, "refunds", lambda one: one.refund(capture, key=key))
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400]
        assert len(control.entries(key)) == 1


def _held_together(
    bank: Bank, control: Control, endpoint: str, call: Callable[[Bank], requests.Response]
) -> list[requests.Response]:
    control.hold("execution", endpoint)
    calls = bank.in_background(3, call)
    control.wait_until_held(3)
    control.release()
    return [one.result() for one in calls]


def _some_lost(answers: list[requests.Response], id_name: str, codes_of_losers: set[str]) -> bool:
    """One object was made. Whoever did not make it was told so, or came late and got the stored reply."""
    won = [answer for answer in answers if answer.status_code == 200]
    lost = [answer for answer in answers if answer.status_code != 200]
    assert len({answer.json()[id_name] for answer in won}) == 1
    assert len([answer for answer in won if not is_replay(answer)]) == 1
    assert all(answer.status_code == 400 and code(answer) in codes_of_losers for answer in lost)
    return bool(lost)
