"""A dying bank is not beaten: the circuit breaker and the retry budget."""

import threading
from typing import Any

import pytest

from payments.domain.timing import Timing
from payments.engine.capacity import Admission, CircuitBreaker, RetryBudget, capacity_of
from payments.models import Attempt, Operation
from tests.support.api_client import ApiClient, order
from tests.support.simulated_bank import SimulatedBank


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def admitted(breaker: CircuitBreaker) -> Admission:
    admission = breaker.admit()
    assert admission is not None
    return admission


def opened(clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(clock)
    for _ in range(10):
        admitted(breaker).report(answered=False)
    return breaker


class TestCircuitBreaker:
    def test_opens_after_ten_failures_in_a_row_and_not_before(self, clock: Clock) -> None:
        breaker = CircuitBreaker(clock)
        for answered in [False] * 9 + [True] + [False] * 9:
            admitted(breaker).report(answered=answered)
        admitted(breaker).report(answered=False)
        assert breaker.is_open
        assert breaker.admit() is None

    def test_half_open_lets_exactly_one_of_many_threads_through(self, clock: Clock) -> None:
        breaker = opened(clock)
        clock.now += 1.1
        gate = threading.Barrier(32)
        found: list[Admission | None] = []

        def knock() -> None:
            gate.wait()
            found.append(breaker.admit())

        threads = [threading.Thread(target=knock) for _ in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len([admission for admission in found if admission]) == 1

    def test_closes_when_the_single_call_is_answered(self, clock: Clock) -> None:
        breaker = opened(clock)
        clock.now += 1.1
        admitted(breaker).report(answered=True)
        assert not breaker.is_open
        admitted(breaker)
        admitted(breaker)

    def test_rests_longer_after_each_single_call_that_fails_up_to_half_a_minute(self, clock: Clock) -> None:
        breaker = opened(clock)
        for rest in (1, 2, 4, 8, 16, 30, 30):
            clock.now += rest - 0.1
            assert breaker.admit() is None
            clock.now += 0.2
            admitted(breaker).report(answered=False)

    def test_a_call_that_was_not_made_leaves_the_way_to_another(self, clock: Clock) -> None:
        breaker = opened(clock)
        clock.now += 1.1
        admitted(breaker).withdraw()
        admitted(breaker)

    @pytest.mark.parametrize("end", ["failed", "withdrawn"])
    def test_a_call_from_before_it_opened_has_no_say_in_the_trial(self, clock: Clock, end: str) -> None:
        breaker = CircuitBreaker(clock)
        old = admitted(breaker)
        for _ in range(10):
            admitted(breaker).report(answered=False)
        clock.now += 1.1
        admitted(breaker)
        if end == "failed":
            old.report(answered=False)
        else:
            old.withdraw()
        assert breaker.admit() is None


class TestRetryBudget:
    def test_allows_a_tenth_of_the_operations_beyond_its_stock(self) -> None:
        budget = RetryBudget()
        retries = 0
        for _ in range(1000):
            budget.earn()
            while budget.spend():
                retries += 1
        assert 100 <= retries <= 110


class TestABankThatIsDownForGood:
    def test_is_called_at_most_eleven_times_for_ten_new_operations(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        settings.BANK_TIMING = Timing(start_window=0.3, backoff_base=0.01, backoff_cap=0.02)
        bank.script("authorizations", "fail_before", times=10_000)
        answers = [live.post("/payments", order()) for _ in range(30)]
        calls = len([seen for seen in bank.requests() if seen.path == "/api/v1/authorizations"])
        assert calls <= 33
        assert {answer.status for answer in answers} == {202, 503}

    def test_and_an_open_breaker_is_proof_that_nothing_was_sent(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        settings.BANK_TIMING = Timing(start_window=0.3, backoff_base=0.01, backoff_cap=0.02)
        bank.script("authorizations", "fail_before", times=10_000)
        capacity_of("ficmart").breaker._clock = lambda: 0.0  # however slow the machine, it rests
        for _ in range(12):
            live.post("/payments", order())
        calls = len(bank.requests())
        refused = live.post("/payments", order())
        assert (refused.status, refused.json["code"]) == (503, "bank_unavailable")
        assert refused.json["money_moved"] == "no"
        assert len(bank.requests()) == calls
        last = Attempt.objects.filter(operation=Operation.objects.latest("created_at")).latest("number")
        assert (last.result, last.reply, last.in_doubt) == ("not_sent", "circuit breaker open", False)
