"""Contract, "Idempotency" and "Weather": a caller who hangs up, and a bank that takes too long."""

import time

import pytest
import requests

from tests.banks.contract.client import Bank, is_replay, new_key
from tests.banks.contract.control import Control, hang_up_on_authorization

pytestmark = pytest.mark.control_plane


class TestHangingUp:
    def test_before_the_commit_it_cancels_the_work(self, bank: Bank, control: Control) -> None:
        """Hanging up normally cancels work that is not yet committed."""
        key = new_key()
        control.hold("execution", "authorizations")
        hang_up_on_authorization(bank, key, when=lambda: control.wait_until_held(1))
        control.time_to_notice(key)
        control.release()
        control.wait_until_over(key)
        assert not control.entries(key)
        assert not is_replay(bank.authorize(key=key))

    def test_during_the_latency_it_cancels_the_work(self, bank: Bank, control: Control) -> None:
        """The delay comes before execution: hanging up while it lasts leaves nothing."""
        key = new_key()
        control.weather(min_latency_ms=600, max_latency_ms=600)
        hang_up_on_authorization(bank, key, when=lambda: control.wait_until_seen(key))
        time.sleep(0.8)
        control.wait_until_over(key)
        assert not control.entries(key)

    def test_at_the_commit_it_leaves_a_hold_without_a_stored_reply(
        self, bank: Bank, control: Control
    ) -> None:
        """When the caller hangs up while the bank is committing, the hold can exist without a stored
        reply. A replay of one of those makes a second hold, and nothing on the wire shows the first.
        """
        key = new_key()
        control.hold("storing", "authorizations")
        hang_up_on_authorization(bank, key, when=lambda: control.wait_until_held(1))
        control.time_to_notice(key)
        control.release()
        control.wait_until_over(key)
        [orphan] = control.entries(key)

        replay = bank.authorize(key=key)

        assert replay.status_code == 200
        assert not is_replay(replay)
        assert replay.json()["authorization_id"] != orphan["id"]
        assert len(control.entries(key)) == 2
        bank.void(orphan["id"])

    def test_unnoticed_it_cancels_nothing(self, bank: Bank, control: Control) -> None:
        """Unless the bank never learns of it (a lost packet): so a read timeout proves nothing."""
        key = new_key()
        control.hold("execution", "authorizations")
        control.script("authorizations", "delay", ms=0, ignores_hangup=True)
        hang_up_on_authorization(bank, key, when=lambda: control.wait_until_held(1))
        control.release()
        control.wait_until_over(key)
        assert len(control.entries(key)) == 1
        assert is_replay(bank.authorize(key=key))


class TestAfterFifteenSeconds:
    """After 15 s the bank can no longer answer, but it goes on executing and closes the connection only
    when it has finished: a call that took 19.75 s made the hold, stored the answer, and closed without a
    response.
    """

    def test_a_call_that_takes_longer_is_executed_and_never_answered(
        self, bank: Bank, control: Control
    ) -> None:
        key = new_key()
        control.hold("execution", "authorizations")
        [call] = bank.in_background(1, lambda one: one.authorize(key=key))
        control.wait_until_held(1)
        control.move_clock(seconds=19.75)
        control.release()

        with pytest.raises(requests.ConnectionError):
            call.result(timeout=10)

        assert len(control.entries(key)) == 1
        assert is_replay(bank.authorize(key=key))

    def test_the_connection_closes_only_when_the_work_is_over(self, bank: Bank, control: Control) -> None:
        """So a closed connection proves that the call is over; a read timeout does not."""
        key = new_key()
        control.hold("storing", "authorizations")
        [call] = bank.in_background(1, lambda one: one.authorize(key=key))
        control.wait_until_held(1)
        control.move_clock(seconds=60)
        time.sleep(0.3)
        assert not call.done()

        control.release()
        with pytest.raises(requests.ConnectionError):
            call.result(timeout=10)
        assert is_replay(bank.authorize(key=key))

    def test_a_call_that_takes_fourteen_seconds_is_answered(self, bank: Bank, control: Control) -> None:
        """After 15 s, not before."""
        control.hold("execution", "authorizations")
        began = time.monotonic()
        [call] = bank.in_background(1, lambda one: one.authorize())
        control.wait_until_held(1)
        control.move_clock(seconds=14 - (time.monotonic() - began))  # what has passed already counts
        control.release()
        assert call.result(timeout=10).status_code == 200
