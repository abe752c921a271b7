"""Contract, what an answer proves: 503 that nothing was done, and silence nothing at all."""

import time

import pytest
import requests

from tests.banks.acquirer_contract.client import Acquirer, code, is_unavailable, number_ending_in, payment
from tests.banks.acquirer_contract.conftest import Control
from tests.support.hang_ups import hang_up_on

pytestmark = pytest.mark.control_plane


class TestUnavailable:
    def test_a_503_was_not_executed_and_may_be_asked_again(
        self, acquirer: Acquirer, control: Control
    ) -> None:
        """Refused before the issuer was asked."""
        control.weather(failure_rate=1)
        assert is_unavailable(acquirer.pay())
        assert control.decisions() == []
        control.weather(failure_rate=0)
        again = code(acquirer.pay())
        assert [one.authorization_code for one in control.decisions()] == [again]

    def test_nor_was_that_of_a_card_that_ends_in_zero(self, acquirer: Acquirer, control: Control) -> None:
        acquirer.pay(card_number=number_ending_in(0))
        assert control.decisions() == []

    def test_a_payment_takes_its_time(self, acquirer: Acquirer, control: Control) -> None:
        control.weather(min_latency_ms=150, max_latency_ms=150)
        began = time.monotonic()
        code(acquirer.pay())
        assert time.monotonic() - began >= 0.15


class TestSilence:
    """There is no key and no look-up: whether anything was done stands in the books alone."""

    def test_a_closed_connection_looks_the_same_whether_or_not_it_was_executed(
        self, acquirer: Acquirer, control: Control
    ) -> None:
        for step, executed in (("drop_before", 0), ("drop_after", 1)):
            control.script("payments", step)
            with pytest.raises(requests.ConnectionError):
                acquirer.pay()
            assert len(control.decisions()) == executed

    def test_hanging_up_looks_the_same_whether_or_not_it_was_executed(
        self, acquirer: Acquirer, control: Control
    ) -> None:
        for step, executed in (("hang_before", 0), ("hang_after", 1)):
            control.script("payments", step)
            hang_up_on(acquirer.url, "/payments", payment(), when=control.wait_until_held)
            control.wait_until_idle()
            assert len(control.decisions()) == executed

    def test_after_silence_a_second_call_is_a_second_authorization(
        self, acquirer: Acquirer, control: Control
    ) -> None:
        control.script("payments", "drop_after")
        with pytest.raises(requests.ConnectionError):
            acquirer.pay()
        code(acquirer.pay())
        assert [one.authorized for one in control.decisions()] == [True, True]

    def test_any_other_answer_says_nothing_either(self, acquirer: Acquirer, control: Control) -> None:
        for executed in (False, True):
            control.script("payments", "garbage", status=500, body="", executed=executed)
            assert acquirer.pay().status_code == 500
            assert len(control.decisions()) == int(executed)
