"""The control plane: off unless asked for, and telling what really happened."""

import http.client
import time

import pytest
import requests

from tests.support.simulated_bank import SimulatedBank


class TestSwitch:
    PATHS = ("state", "ledger", "requests", "balances", "script", "")

    def test_it_is_off_unless_asked_for(self) -> None:
        """Without it these paths are unknown like any other, and nothing can be scripted."""
        with SimulatedBank(environment={"BANK_CONTROL": "0"}) as bank, requests.Session() as session:
            for path in self.PATHS:
                answer = session.get(f"{bank.url}/control/{path}", timeout=5)
                assert answer.status_code == 404
                assert answer.headers["Content-Type"].startswith("text/plain")
            assert session.post(f"{bank.url}/control/reset", timeout=5).status_code == 404
            assert "control plane" not in bank.log

    def test_a_bank_that_has_it_says_so_at_start(self, bank: SimulatedBank) -> None:
        assert "the control plane is on" in bank.log

    def test_an_order_it_does_not_understand_is_refused_with_a_reason(self, bank: SimulatedBank) -> None:
        with pytest.raises(AssertionError, match=r"There is no step 'explode'\. The steps are fail_before"):
            bank.script("captures", "explode")
        with pytest.raises(AssertionError, match=r"'payments' is unknown\. Known: authorizations"):
            bank.script("payments", "delay", ms=1)
        with pytest.raises(AssertionError, match=r"delay.*unexpected keyword argument 'seconds'"):
            bank.script("captures", "delay", seconds=1)
        with pytest.raises(AssertionError, match="refused clock"):
            bank._order("clock", at="tomorrow")


class TestClock:
    def test_it_moves_and_runs_on(self, bank: SimulatedBank, authorize) -> None:
        before = bank.now()
        bank.move_clock(seconds=3600)
        moved = bank.now()
        assert 3600 <= (moved - before).total_seconds() < 3630
        time.sleep(0.01)
        assert bank.now() > moved

    def test_entries_carry_its_time(self, bank: SimulatedBank, authorize) -> None:
        bank.move_clock(seconds=-100_000)
        before = bank.now()
        authorize(bank, "a key")
        [entry] = bank.ledger()
        assert before <= entry.created_at <= bank.now()


class TestJournal:
    def test_it_knows_every_request_with_its_key_and_its_end(
        self, bank: SimulatedBank, authorize, post
    ) -> None:
        bank.script("authorizations", "drop_after")
        with pytest.raises(requests.ConnectionError):
            authorize(bank, "a key")
        authorize(bank, "a key")
        post(bank, "captures", "another", authorization_id="auth_x", amount=1)
        dropped, replayed, refused = bank.requests()
        assert (dropped.status, dropped.ended) == (None, "closed without an answer")
        assert (replayed.status, replayed.ended, replayed.replayed) == (200, "answered", True)
        assert (refused.method, refused.path, refused.idempotency_key, refused.status) == (
            *("POST", "/api/v1/captures", "another", 400),
        )
        assert dropped.received_at < replayed.received_at < refused.received_at

    def test_it_knows_a_caller_who_hung_up(self, bank: SimulatedBank) -> None:
        bank.hold()
        line = http.client.HTTPConnection("127.0.0.1", bank.port, timeout=10)
        line.request("POST", "/api/v1/voids", b"{}", {"Idempotency-Key": "a key"})
        bank.wait_until_held()
        line.close()
        bank.wait_until_idle()
        [seen] = bank.requests()
        assert (seen.status, seen.ended) == (None, "caller hung up")

    def test_it_knows_which_requests_overlapped(self, bank: SimulatedBank, authorize, background) -> None:
        authorize(bank, "alone")
        bank.hold()
        calls = [background.submit(authorize, bank, "together") for _ in range(3)]
        bank.wait_until_held(3)
        assert [one.ended for one in bank.requests()].count(None) == 3
        bank.release()
        assert [call.result().status_code for call in calls] == [200, 200, 200]
        assert [one.overlapped for one in bank.requests()] == [False, True, True, True]
        assert bank.max_in_flight() == {"alone": 1, "together": 3}

    def test_the_control_plane_is_not_in_it(self, bank: SimulatedBank) -> None:
        bank.ledger()
        assert bank.requests() == []


class TestReset:
    def test_it_leaves_a_new_bank(self, bank: SimulatedBank, authorize, background) -> None:
        authorize(bank, "a key")
        bank.script("authorizations", "fail_before", times=3)
        bank.weather(failure_rate=1, min_latency_ms=5, max_latency_ms=5)
        bank.move_clock(seconds=10**6)
        bank.database_down()
        bank.reset()
        answer = authorize(bank, "a key")
        assert answer.status_code == 200
        assert "X-Idempotent-Replayed" not in answer.headers
        assert len(bank.ledger()) == 1
        assert len(bank.requests()) == 1
        assert abs(time.time() - bank.now().timestamp()) < 30

    def test_it_hangs_up_on_requests_of_the_test_before(
        self, bank: SimulatedBank, authorize, background
    ) -> None:
        bank.hold()
        call = background.submit(authorize, bank, "a key")
        bank.wait_until_held()
        bank.reset()
        with pytest.raises(requests.ConnectionError):
            call.result()
        assert bank.waiting() == 0
        assert bank.ledger() == []


class TestWeather:
    def test_what_is_not_named_stays(self, bank: SimulatedBank, authorize) -> None:
        bank.weather(failure_rate=1)
        bank.weather(min_latency_ms=1, max_latency_ms=1)
        assert authorize(bank, "a key").status_code == 500

    def test_a_failure_rate_is_a_share(self, bank: SimulatedBank) -> None:
        bank.weather(failure_rate=0.5)
        with requests.Session() as session:
            url = f"{bank.url}/api/v1/captures/cap_x"
            statuses = [session.get(url, timeout=5).status_code for _ in range(200)]
        assert set(statuses) == {404, 500}
        assert 50 < statuses.count(500) < 150  # seven standard deviations
