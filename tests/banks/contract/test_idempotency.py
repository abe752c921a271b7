"""Contract, "Idempotency": what a key is good for, and for how long."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.banks.contract.client import MODEST, RICH, Bank, code, is_random_failure, is_replay, new_key
from tests.banks.contract.control import Control

HOUR = 3600


class TestReplay:
    """Same key + same path returns the stored reply with `X-Idempotent-Replayed: true`."""

    def test_an_authorization_is_replayed_to_the_byte(self, bank: Bank) -> None:
        _replays(lambda key: bank.authorize(key=key))

    def test_a_capture_is_replayed_to_the_byte(self, bank: Bank) -> None:
        hold = bank.a_hold()
        _replays(lambda key: bank.capture(hold, key=key))

    def test_a_void_is_replayed_to_the_byte(self, bank: Bank) -> None:
        hold = bank.a_hold()
        _replays(lambda key: bank.void(hold, key=key))

    def test_a_refund_is_replayed_to_the_byte(self, bank: Bank) -> None:
        capture = bank.a_capture()
        _replays(lambda key: bank.refund(capture, key=key))

    def test_another_key_is_another_instruction(self, bank: Bank) -> None:
        """Only the same key returns the stored reply."""
        first, second = bank.authorize(), bank.authorize()
        assert first.json()["authorization_id"] != second.json()["authorization_id"]

    def test_the_same_key_on_another_path_is_another_instruction(self, bank: Bank) -> None:
        """A key is good for one path: the same key captures and refunds what it authorized."""
        key = new_key()
        hold = bank.authorize(key=key).json()["authorization_id"]
        captured = bank.capture(hold, key=key)
        assert captured.json()["status"] == "captured"
        refunded = bank.refund(captured.json()["capture_id"], key=key)
        assert refunded.json()["status"] == "refunded"
        assert not is_replay(captured)
        assert not is_replay(refunded)

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param({"json": RICH.authorization(2)}, id="another amount"),
            pytest.param({"json": MODEST.authorization()}, id="another card"),
            pytest.param({"json": {"card_number": "4000000000000000006", "cvv": "000"}}, id="no such card"),
            pytest.param({"data": b"{"}, id="unreadable"),
            pytest.param({"data": b""}, id="none"),
        ],
    )
    def test_the_key_is_looked_up_before_the_body_is_read(self, bank: Bank, body: dict[str, Any]) -> None:
        """A replay with a different, even unreadable, body returns the stored reply."""
        key = new_key()
        first = bank.authorize(key=key)
        again = bank.patiently("POST", "/api/v1/authorizations", key=key, **body)
        assert again.status_code == 200
        assert again.content == first.content
        assert is_replay(again)

    def test_a_stored_reply_outlives_what_it_tells_of(self, bank: Bank) -> None:
        """The stored reply is returned as it was, although the hold has been voided since."""
        key = new_key()
        first = bank.authorize(key=key)
        bank.void(first.json()["authorization_id"])
        assert bank.authorize(key=key).content == first.content


class TestOnlySuccessIsStored:
    """Only 2xx answers are stored. A declined or failed request is evaluated again on replay."""

    def test_a_402_is_evaluated_again(self, bank: Bank) -> None:
        key = new_key()
        declined = bank.authorize(RICH.balance_cents + 1, key=key)
        assert declined.status_code == 402
        again = bank.authorize(1, key=key)
        assert again.status_code == 200
        assert not is_replay(again)

    def test_a_400_is_evaluated_again(self, bank: Bank) -> None:
        hold, key = bank.a_hold(2), new_key()
        assert code(bank.capture(hold, 1, key=key)) == "amount_mismatch"
        again = bank.capture(hold, 2, key=key)
        assert again.status_code == 200
        assert not is_replay(again)

    def test_a_plain_text_400_is_evaluated_again(self, bank: Bank) -> None:
        key = new_key()
        unreadable = bank.patiently("POST", "/api/v1/authorizations", data=b"{", key=key)
        assert unreadable.status_code == 400
        assert bank.authorize(key=key).status_code == 200

    @pytest.mark.control_plane
    def test_a_500_is_evaluated_again(self, bank: Bank, control: Control) -> None:
        key, path = new_key(), "/api/v1/authorizations"
        control.weather(failure_rate=1)
        assert is_random_failure(bank.send("POST", path, json=RICH.authorization(), key=key))
        control.weather()
        again = bank.authorize(key=key)
        assert again.status_code == 200
        assert not is_replay(again)


class TestFailedLookUp:
    """When the look-up itself fails, the request is executed as new and its answer is not stored."""

    @pytest.mark.control_plane
    def test_a_request_whose_look_up_failed_is_executed_and_not_stored(
        self, bank: Bank, control: Control
    ) -> None:
        """A replay then makes a second hold and answers 200 without `X-Idempotent-Replayed`."""
        key = new_key()
        control.script("authorizations", "lookup_fails")
        first, second = bank.authorize(key=key), bank.authorize(key=key)
        assert (first.status_code, second.status_code) == (200, 200)
        assert not is_replay(second)
        assert first.json()["authorization_id"] != second.json()["authorization_id"]
        assert len(control.entries(key)) == 2

    @pytest.mark.control_plane
    def test_a_replay_whose_look_up_failed_is_executed_as_new(self, bank: Bank, control: Control) -> None:
        """Even a stored reply does not help then; it is found again by the next replay."""
        key = new_key()
        first = bank.authorize(key=key)
        control.script("authorizations", "lookup_fails")
        executed_again, replayed = bank.authorize(key=key), bank.authorize(key=key)
        assert not is_replay(executed_again)
        assert executed_again.json()["authorization_id"] != first.json()["authorization_id"]
        assert is_replay(replayed)
        assert replayed.content == first.content


@pytest.mark.control_plane
class TestPurge:
    """Stored replies are purged after 24 to 25 hours."""

    def test_an_answer_is_kept_for_24_hours(self, bank: Bank, control: Control) -> None:
        key = new_key()
        first = bank.authorize(key=key)
        control.move_clock(seconds=24 * HOUR - 60)
        again = bank.authorize(key=key)
        assert is_replay(again)
        assert again.content == first.content

    def test_after_25_hours_the_same_key_holds_the_funds_a_second_time(
        self, bank: Bank, control: Control
    ) -> None:
        """A replay later than that is a new request: an authorization holds the funds a second time."""
        key = new_key()
        first = bank.authorize(key=key)
        control.move_clock(seconds=25 * HOUR + 1)
        again = bank.authorize(key=key)
        assert again.status_code == 200
        assert not is_replay(again)
        assert again.json()["authorization_id"] != first.json()["authorization_id"]
        assert len(control.entries(key)) == 2


def _replays(instruct: Callable[[str], Any]) -> None:
    key = new_key()
    first, again = instruct(key), instruct(key)
    assert first.status_code == 200, first.text
    assert not is_replay(first)
    assert again.status_code == 200
    assert is_replay(again)
    assert again.content == first.content
