"""An authorize in doubt, asked about without the card: probes, late looks, and holds that turn up late."""

from datetime import timedelta
from typing import Any

import pytest

from payments.domain.timing import Timing
from payments.models import Attempt, Discrepancy, Event, Operation, Payment
from payments.usecases.recovery import recover_due
from tests.conftest import forget_pace
from tests.support.api_client import ApiClient, ApiResponse, order
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

WITHIN = timedelta(seconds=5)
MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("scripted")


def in_doubt(live: ApiClient, bank: SimulatedBank, *, executed: bool, stored: bool = True) -> ApiResponse:
    """An authorize whose first attempt was silent, and the later ones in vain; under the key "the-order"."""
    if executed:
        bank.script("authorizations", "drop_after", stored=stored)
    else:
        bank.script("authorizations", "drop_before")
    bank.script("authorizations", "fail_before", times=1000)
    answer = live.post("/payments", order(order_id="order-1"), key="the-order")
    assert answer.status == 202
    bank.clear_script()
    return answer


def again(live: ApiClient) -> ApiResponse:
    return live.post("/payments", order(order_id="order-1"), key="the-order")


def probe(bank: SimulatedBank, *, after: timedelta = 5 * MINUTES) -> int:
    let_pass(after, bank)
    return recover_due(within=WITHIN)


def found_not_executed(live: ApiClient, bank: SimulatedBank, **executed: Any) -> None:
    in_doubt(live, bank, **executed)
    assert probe(bank) == 1
    assert probe(bank, after=11 * MINUTES) == 1
    assert Operation.objects.get().state == "NOT_EXECUTED"


class TestAProbe:
    def test_finds_the_stored_reply_and_adopts_its_hold(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = in_doubt(live, bank, executed=True).json
        assert probe(bank) == 1
        receipt = live.receipt(payment["id"])
        assert (receipt["state"], receipt["pending_operation"]) == ("AUTHORIZED", None)
        assert [entry.id for entry in bank.ledger()] == [receipt["bank"]["authorization_id"]]
        assert Attempt.objects.latest("number").is_probe
        assert again(live).json == receipt

    @pytest.mark.parametrize("in_one_lease", [True, False])
    def test_that_is_silent_is_no_attempt_that_may_have_held(
        self, live: ApiClient, bank: SimulatedBank, in_one_lease: bool
    ) -> None:
        """One attempt of ours was silent, and the stored reply is its own, however often we asked for it."""
        bank.script("authorizations", "drop_after")
        bank.script("authorizations", "fail_before", times=1000)
        assert live.post("/payments", order()).status == 202
        bank.clear_script()
        bank.script("authorizations", "drop_before", times=1 if in_one_lease else 1000)
        if in_one_lease:  # it may be asked again
            forget_pace(retries=1)
        assert probe(bank) == 1
        assert Attempt.objects.filter(is_probe=True, result="silent").exists()
        assert Operation.objects.get().state == ("SUCCEEDED" if in_one_lease else "OPEN")
        bank.clear_script()
        probe(bank)
        operation = Operation.objects.get()
        assert (operation.state, operation.strays_awaited) == ("SUCCEEDED", 0)
        assert [entry.id for entry in bank.ledger()] == [operation.bank_reference]

    def test_never_holds_money(self, live: ApiClient, bank: SimulatedBank) -> None:
        in_doubt(live, bank, executed=False)
        assert probe(bank) == 1
        assert bank.ledger() == []
        assert Operation.objects.get().state == "OPEN"
        assert Attempt.objects.latest("number").verdict == "negative_probe"

    def test_alone_proves_nothing_and_two_ten_minutes_apart_do(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = in_doubt(live, bank, executed=False).json
        assert probe(bank) == 1
        assert probe(bank, after=9 * MINUTES) == 0
        assert Operation.objects.get().state == "OPEN"
        assert probe(bank, after=2 * MINUTES) == 1
        operation = Operation.objects.get()
        assert (operation.state, operation.strays_awaited) == ("NOT_EXECUTED", 1)
        receipt = live.receipt(payment["id"])
        assert (receipt["state"], receipt["last_operation"]["code"]) == ("FAILED", "not_found_at_bank")
        assert Event.objects.filter(type="payment.failed").count() == 1

    def test_counts_only_from_a_bank_healthy_before_and_after(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        in_doubt(live, bank, executed=False)
        for outlook in (["fail_before", "delay"], ["delay", "fail_before"]):
            for step in outlook:
                options: dict[str, Any] = {"status": 503} if step == "fail_before" else {"ms": 0}
                bank.script("health", step, **options)  # type: ignore[arg-type]
            assert probe(bank, after=20 * MINUTES) == 1
            assert Attempt.objects.latest("number").verdict == ""
            bank.clear_script()
        assert Operation.objects.get().state == "OPEN"

    def test_does_not_count_together_with_one_from_before_the_merchants_own_retry(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        in_doubt(live, bank, executed=False)
        assert probe(bank) == 1
        let_pass(2 * MINUTES, bank)
        bank.script("authorizations", "drop_before", times=1000)
        assert again(live).status == 202
        bank.clear_script()
        assert probe(bank, after=11 * MINUTES) == 1
        assert Operation.objects.get().state == "OPEN"
        assert probe(bank, after=11 * MINUTES) == 1
        assert Operation.objects.get().state == "NOT_EXECUTED"

    @pytest.mark.parametrize(
        ("step", "options"),
        [
            ("fail_before", {"status": 402, "code": "insufficient_funds"}),
            ("fail_before", {"status": 400, "code": "card_expired"}),
            ("fail_before", {"status": 400, "code": "internal_error"}),
            ("fail_before", {}),
            ("drop_before", {}),
        ],
    )
    def test_that_is_answered_otherwise_leaves_the_doubt(
        self, live: ApiClient, bank: SimulatedBank, step: Any, options: dict[str, Any]
    ) -> None:
        in_doubt(live, bank, executed=False)
        for _ in range(2):
            bank.script("authorizations", step, times=1000, **options)
            probe(bank, after=20 * MINUTES)
            bank.clear_script()
        assert Operation.objects.get().state == "OPEN"
        assert Payment.objects.get().state == "PENDING"

    def test_counts_until_24_hours_after_the_first_attempt(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        in_doubt(live, bank, executed=False)
        assert probe(bank, after=23 * HOURS + 40 * MINUTES) == 1
        assert probe(bank, after=11 * MINUTES) == 1
        assert Operation.objects.get().state == "NOT_EXECUTED"

    def test_finds_what_the_bank_still_knows_at_any_age(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = in_doubt(live, bank, executed=True).json
        let_pass(25 * HOURS)  # for us alone: the bank is late with its purge
        assert recover_due(within=WITHIN) == 1
        assert live.receipt(payment["id"])["state"] == "AUTHORIZED"

    def test_that_finds_nothing_after_24_hours_proves_nothing_and_people_are_asked(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = in_doubt(live, bank, executed=True, stored=False).json
        asked = len(bank.requests())
        assert probe(bank, after=24 * HOURS) == 1
        assert len(bank.requests()) > asked
        assert Attempt.objects.latest("number").verdict == ""
        assert Operation.objects.get().state == "NEEDS_REVIEW"
        assert Discrepancy.objects.get().kind == "too_old_to_ask"
        assert (again(live).status, live.receipt(payment["id"])["pending_operation"]) == (202, "authorize")
        other = live.post(f"/payments/{payment['id']}/void")
        assert (other.status, other.json["code"]) == (409, "needs_review")

    def test_is_not_needed_where_nothing_was_ever_sent(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        bank.stop()
        settings.BANK_TIMING = Timing(start_window=0.2, backoff_base=0.1, backoff_cap=0.1)
        assert live.post("/payments", order()).status == 503
        bank.restart()
        assert probe(bank, after=HOURS) == 0
        assert Operation.objects.get().look_again_at is None


class TestAfterTwoNegativeProbes:
    def test_the_same_request_starts_anew_and_gets_what_the_bank_has_under_the_key(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        found_not_executed(live, bank, executed=False)
        answer = again(live)
        assert (answer.status, answer.json["state"]) == (201, "AUTHORIZED")
        assert len(set(Operation.objects.values_list("bank_idempotency_key", flat=True))) == 1
        assert len(bank.ledger()) == 1

    def test_the_hold_is_looked_for_again_after_1_6_and_22_hours_and_then_no_more(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        found_not_executed(live, bank, executed=False)
        for after in (1 * HOURS, 5 * HOURS, 16 * HOURS):
            assert probe(bank, after=after) == 1
            assert probe(bank, after=MINUTES) == 0
        assert Operation.objects.get().look_again_at is None
        assert probe(bank, after=30 * HOURS) == 0
        assert [one.is_probe for one in Attempt.objects.order_by("number")][-5:] == [True] * 5

    def test_a_look_at_a_bank_that_does_not_answer_is_made_again_soon(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        found_not_executed(live, bank, executed=False)
        bank.script("authorizations", "fail_before", times=1000)
        assert probe(bank, after=HOURS) == 1
        bank.clear_script()
        assert probe(bank, after=5 * MINUTES) == 1
        assert probe(bank, after=5 * MINUTES) == 0

    def test_a_hold_found_late_is_voided(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = self._found_late(live, bank)
        types = [entry.type for entry in bank.ledger()]
        assert types == ["AUTH_HOLD", "VOID"]
        assert bank.balances()["1111"].held == 0
        assert live.receipt(payment["id"])["state"] == "FAILED"
        found = Discrepancy.objects.get()
        assert (found.kind, found.closed_at is not None) == ("late_hold", True)
        types = list(Event.objects.order_by("id").values_list("type", flat=True))[-3:]
        assert types == ["release.requested", "late_hold.found", "release.succeeded"]

    def test_whoever_starts_anew_after_that_is_not_given_the_voided_hold(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        self._found_late(live, bank)
        answer = again(live)
        assert (answer.status, answer.json["state"]) == (201, "AUTHORIZED")
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "VOID", "AUTH_HOLD"]
        assert answer.json["bank"]["authorization_id"] == bank.ledger()[-1].id
        authorizes = Operation.objects.filter(kind="authorize").order_by("created_at")
        assert list(authorizes.values_list("ordinal", flat=True)) == [0, 1]

    def test_a_hold_that_a_payment_claims_by_then_is_left_alone(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        found_not_executed(live, bank, executed=False)
        assert again(live).status == 201
        assert probe(bank, after=HOURS) == 1
        assert recover_due(within=WITHIN) == 0
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD"]

    def test_a_hold_that_an_open_operation_may_still_claim_is_left_alone(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        found_not_executed(live, bank, executed=False)
        let_pass(2 * HOURS, bank)
        bank.script("authorizations", "drop_after")
        bank.script("authorizations", "fail_before", times=1000)
        assert again(live).status == 202  # its hold exists, and it does not know
        bank.clear_script()
        assert recover_due(within=WITHIN) == 1  # the first operation's late look finds it
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD"]
        assert probe(bank) == 1
        assert Payment.objects.order_by("created_at").last().state == "AUTHORIZED"  # type: ignore[union-attr]
        assert recover_due(within=WITHIN) == 0
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD"]

    def _found_late(self, live: ApiClient, bank: SimulatedBank) -> dict[str, Any]:
        """A hold that exists, although the bank denied it twice while its look-up failed."""
        payment = in_doubt(live, bank, executed=True).json
        bank.script("authorizations", "lookup_fails", times=2)
        assert probe(bank) == 1
        assert probe(bank, after=11 * MINUTES) == 1
        assert Operation.objects.get().state == "NOT_EXECUTED"
        assert probe(bank, after=HOURS) == 3  # the look, the case, the release
        receipt: dict[str, Any] = payment
        return receipt
