"""Random lives of one payment that is refunded in parts: by clients at once, by retries, in silence.

After every step the audit finds nothing, and the bank was never asked for more than it had captured. In the
end the bank is well: everything settles, and what is left is given back.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from payments.engine.capacity import capacity_of
from payments.models import Operation, Payment
from payments.usecases.recovery import recover_next
from reconciliation.services.audit import violations
from tests.adversity.model.profiles import profile
from tests.adversity.model.world import together
from tests.support.api_client import ApiClient, ApiResponse
from tests.support.parts_bank import PartsBank, parts_bank
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

AMOUNTS = st.one_of(st.none(), st.integers(1, 6000), st.sampled_from([1000, 2000]))
HELD = 5000
FAULTS = st.sampled_from(["", "", "", "silent", "silent", "unsent"])


class Parts(RuleBasedStateMachine):
    """One payment's life after its capture."""

    def __init__(self, shop: ApiClient, bank: PartsBank) -> None:
        super().__init__()
        self.shop, self.bank = shop, bank
        self.keys: dict[str, int | None] = {}
        self.receipts: list[int] = []  # what was refunded, as last told

    @initialize(captured=st.integers(1, HELD), fault=FAULTS)
    def capture(self, captured: int, fault: str) -> None:
        self._get_well()
        self.path = f"/payments/{self.shop.authorized(amount=HELD)['id']}"
        self._befall(fault)
        self.shop.post(f"{self.path}/capture", {"amount": captured})

    @rule(amount=AMOUNTS, fault=FAULTS)
    def refund(self, amount: int | None, fault: str) -> None:
        self._befall(fault)
        self._send(self._new_key(amount))

    @rule(which=st.integers(0, 100), fault=FAULTS)
    def retry(self, which: int, fault: str) -> None:
        self._befall(fault)
        if self.keys:
            self._send(list(self.keys)[which % len(self.keys)])

    @rule(one=AMOUNTS, other=AMOUNTS, same_key=st.booleans())
    def at_once(self, one: int | None, other: int | None, same_key: bool) -> None:
        self._befall("")
        first = self._new_key(one)
        together(partial(self._send, first), partial(self._send, first if same_key else self._new_key(other)))

    @rule()
    def recovery_runs(self) -> None:
        self._get_well()
        let_pass(timedelta(minutes=5))
        while recover_next():
            pass

    @invariant()
    def everything_holds(self) -> None:
        assert [one for one in violations() if one.rule != "doubts_are_asked_about"] == []
        assert self.bank.asked_too_much == []
        for payment in Payment.objects.all():
            unfinished = payment.operations.filter(state__in=["OPEN", "NEEDS_REVIEW"])
            at_the_bank = self.bank.given_back[payment.bank_capture_id] if payment.bank_capture_id else 0
            known = payment.refunded_minor + sum(
                one.amount_minor for one in unfinished if one.kind == "refund"
            )
            assert payment.refunded_minor <= at_the_bank <= known

    def teardown(self) -> None:
        for _ in range(5):
            self.recovery_runs()
        assert not Operation.objects.filter(state__in=["OPEN", "NEEDS_REVIEW"]).exists()
        payment = self.shop.get(self.path).json
        if payment["state"] == "AUTHORIZED":  # nothing of the capture was ever sent
            return
        if payment["state"] == "CAPTURED":
            payment = self.shop.post(f"{self.path}/refund").json
        assert (payment["state"], payment["refunded_amount"]) == ("REFUNDED", payment["captured_amount"])
        assert payment["refunded_amount"] == sum(one["amount"] for one in payment["refunds"])
        assert self.bank.given_back[payment["bank"]["capture_id"]] == payment["captured_amount"]
        self.everything_holds()

    def _new_key(self, amount: int | None) -> str:
        key = f"{self.path} {len(self.keys)}".replace(" ", "-")
        self.keys[key] = amount
        return key

    def _send(self, key: str) -> ApiResponse:
        amount = self.keys[key]
        return self.shop.post(f"{self.path}/refund", None if amount is None else {"amount": amount}, key=key)

    def _befall(self, fault: str) -> None:
        self._get_well()
        self.bank.silent = 1000 * (fault == "silent")
        self.bank.unsent = 1000 * (fault == "unsent")

    def _get_well(self) -> None:
        self.bank.silent = self.bank.unsent = 0
        capacity_of.cache_clear()


@pytest.fixture
def parts(bank: SimulatedBank, brief: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[PartsBank]:
    with parts_bank(monkeypatch) as parts:
        yield parts


def test_no_life_gives_back_more_than_was_captured(test_mode: ApiClient, parts: PartsBank) -> None:
    run_state_machine_as_test(partial(Parts, test_mode, parts), settings=profile(steps=14))
