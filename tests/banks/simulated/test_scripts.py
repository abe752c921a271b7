"""The steps of a script: what happens to one request because a test asked for it."""

import http.client
import socket
import struct
import time

import pytest
import requests

from tests.support.simulated_bank import SimulatedBank


class TestBeforeExecution:
    def test_fail_before_answers_an_error_and_executes_nothing(self, bank: SimulatedBank, authorize) -> None:
        bank.script("authorizations", "fail_before", status=429, code="slow_down", retry_after=7)
        answer = authorize(bank, "a key")
        assert (answer.status_code, answer.json()["error"]) == (429, "slow_down")
        assert answer.headers["Retry-After"] == "7"
        assert bank.ledger() == []

    def test_drop_before_closes_the_connection_and_executes_nothing(
        self, bank: SimulatedBank, authorize
    ) -> None:
        bank.script("authorizations", "drop_before")
        with pytest.raises(requests.ConnectionError):
            authorize(bank, "a key")
        assert bank.ledger() == []

    def test_hang_before_waits_until_released_and_goes_on(
        self, bank: SimulatedBank, authorize, background
    ) -> None:
        bank.script("authorizations", "hang_before")
        call = background.submit(authorize, bank, "a key")
        bank.wait_until_held()
        assert bank.ledger() == []
        bank.release()
        assert call.result().status_code == 200

    def test_hang_before_goes_on_by_itself_after_some_seconds(self, bank: SimulatedBank, authorize) -> None:
        bank.script("authorizations", "hang_before", seconds=0.2)
        began = time.monotonic()
        assert authorize(bank, "a key").status_code == 200
        assert time.monotonic() - began >= 0.2

    def test_delay_waits_and_goes_on(self, bank: SimulatedBank, authorize) -> None:
        bank.script("authorizations", "delay", ms=200)
        began = time.monotonic()
        assert authorize(bank, "a key").status_code == 200
        assert time.monotonic() - began >= 0.2


class TestAfterExecution:
    def test_fail_after_executes_and_answers_an_error(self, bank: SimulatedBank, authorize) -> None:
        bank.script("authorizations", "fail_after")
        assert authorize(bank, "a key").status_code == 500
        assert len(bank.ledger()) == 1
        assert authorize(bank, "a key").headers["X-Idempotent-Replayed"] == "true"

    def test_drop_after_executes_and_closes_the_connection(self, bank: SimulatedBank, authorize) -> None:
        bank.script("authorizations", "drop_after")
        with pytest.raises(requests.ConnectionError):
            authorize(bank, "a key")
        assert len(bank.ledger()) == 1
        assert authorize(bank, "a key").headers["X-Idempotent-Replayed"] == "true"

    def test_drop_after_can_leave_a_hold_without_a_stored_answer(
        self, bank: SimulatedBank, authorize
    ) -> None:
        bank.script("authorizations", "drop_after", stored=False)
        with pytest.raises(requests.ConnectionError):
            authorize(bank, "a key")
        assert "X-Idempotent-Replayed" not in authorize(bank, "a key").headers
        assert [entry.idempotency_key for entry in bank.ledger()] == ["a key", "a key"]

    def test_hang_after_executes_and_answers_when_released(
        self, bank: SimulatedBank, authorize, background
    ) -> None:
        bank.script("authorizations", "hang_after")
        call = background.submit(authorize, bank, "a key")
        bank.wait_until_held()
        assert len(bank.ledger()) == 1
        assert not call.done()
        bank.release()
        assert call.result().status_code == 200

    def test_alter_says_something_else_than_was_done(self, bank: SimulatedBank, authorize) -> None:
        bank.script("authorizations", "alter", amount=1, currency="EUR", status=None)
        said = authorize(bank, "a key", amount=100).json()
        assert (said["amount"], said["currency"]) == (1, "EUR")
        assert "status" not in said
        assert bank.ledger()[0].amount == 100
        assert authorize(bank, "a key").json()["amount"] == 100

    def test_dribble_sends_the_answer_byte_by_byte(self, bank: SimulatedBank, authorize) -> None:
        bank.script("authorizations", "dribble", interval_ms=2)
        began = time.monotonic()
        answer = authorize(bank, "a key")
        assert answer.json()["status"] == "approved"
        assert time.monotonic() - began >= 0.002 * len(answer.content)

    def test_a_caller_can_hang_up_on_a_dribbling_answer(self, bank: SimulatedBank) -> None:
        bank.script("health", "dribble", interval_ms=200)
        with requests.Session() as caller:
            caller.get(f"{bank.url}/health", stream=True, timeout=5).close()
        bank.wait_until_idle()

    def test_a_caller_can_hang_up_in_the_middle_of_a_write(self, bank: SimulatedBank) -> None:
        bank.script("health", "dribble", interval_ms=0, times=50)
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", bank.port)) as caller:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                caller.sendall(b"GET /health HTTP/1.1\r\nHost: bank\r\n\r\n")
                caller.recv(1)
        bank.wait_until_idle()


class TestGarbage:
    def test_an_unreadable_success(self, bank: SimulatedBank, authorize) -> None:
        bank.script("authorizations", "garbage", body="{'status':")
        answer = authorize(bank, "a key")
        assert (answer.status_code, answer.text) == (200, "{'status':")
        assert len(bank.ledger()) == 1

    def test_without_execution(self, bank: SimulatedBank, authorize) -> None:
        bank.script("authorizations", "garbage", executed=False)
        assert authorize(bank, "a key").headers["Content-Type"] == "text/html"
        assert bank.ledger() == []

    @pytest.mark.parametrize(
        ("status", "headers"),
        [(201, {}), (204, {}), (302, {"Location": "/elsewhere"}), (429, {"Retry-After": "3"}), (503, {})],
    )
    def test_any_status_and_headers(
        self, bank: SimulatedBank, authorize, status: int, headers: dict[str, str]
    ) -> None:
        bank.script("authorizations", "garbage", status=status, headers=headers)
        answer = authorize(bank, "a key")
        assert answer.status_code == status
        assert headers.items() <= dict(answer.headers).items()


class TestDatabase:
    def test_lookup_fails_executes_as_new_and_stores_nothing(self, bank: SimulatedBank, authorize) -> None:
        first = authorize(bank, "a key")
        bank.script("authorizations", "lookup_fails")
        assert authorize(bank, "a key").json()["authorization_id"] != first.json()["authorization_id"]
        assert authorize(bank, "a key").content == first.content

    def test_database_down_is_for_one_request(self, bank: SimulatedBank, authorize) -> None:
        bank.script("authorizations", "database_down")
        answer = authorize(bank, "a key")
        assert (answer.status_code, answer.json()["error"]) == (400, "internal_error")
        assert authorize(bank, "a key").status_code == 200

    def test_health_can_be_down_alone(self, bank: SimulatedBank, authorize) -> None:
        bank.script("health", "database_down")
        assert requests.get(f"{bank.url}/health", timeout=5).status_code == 503
        assert requests.get(f"{bank.url}/health", timeout=5).status_code == 200


class TestScripts:
    def test_steps_are_taken_in_order_one_per_request(self, bank: SimulatedBank, authorize) -> None:
        bank.script("authorizations", "fail_before", status=500, times=2)
        bank.script("authorizations", "fail_before", status=503)
        statuses = [authorize(bank, "a key").status_code for _ in range(4)]
        assert statuses == [500, 500, 503, 200]

    def test_replays_take_steps_too(self, bank: SimulatedBank, authorize) -> None:
        authorize(bank, "a key")
        bank.script("authorizations", "fail_before")
        assert authorize(bank, "a key").status_code == 500

    def test_each_endpoint_has_its_own(self, bank: SimulatedBank, authorize, post) -> None:
        bank.script("captures", "fail_before", status=503)
        bank.script("reads", "fail_before", status=502)
        hold = authorize(bank, "a key").json()["authorization_id"]
        path = f"{bank.url}/api/v1/authorizations/{hold}"
        assert requests.get(path, timeout=5).status_code == 502
        assert post(bank, "captures", "b", authorization_id=hold, amount=100).status_code == 503

    def test_they_can_be_forgotten(self, bank: SimulatedBank, authorize) -> None:
        bank.script("authorizations", "fail_before", times=9)
        bank.clear_script()
        assert authorize(bank, "a key").status_code == 200

    def test_a_bank_can_be_deaf_to_a_caller_who_hangs_up(self, bank: SimulatedBank, authorize) -> None:
        """As when the packet that says so is lost: what a read timeout alone can never tell."""
        bank.hold()
        bank.script("authorizations", "delay", ms=0, ignores_hangup=True)
        line = http.client.HTTPConnection("127.0.0.1", bank.port, timeout=10)
        body = b'{"card_number":"4111111111111111","cvv":"123","amount":5}'
        line.request("POST", "/api/v1/authorizations", body, {"Idempotency-Key": "a key"})
        bank.wait_until_held()
        line.close()
        bank.release()
        bank.wait_until_idle()
        assert [entry.amount for entry in bank.ledger()] == [5]
        assert authorize(bank, "a key").headers["X-Idempotent-Replayed"] == "true"
