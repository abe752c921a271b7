"""Captures of less than the hold, and refunds in parts: never more than was captured."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from office.decisions.denials import is_called_done
from payments.domain.replies import Said
from payments.models import Discrepancy, Event, Operation, Payment
from payments.usecases.recovery import recover_due
from reconciliation.services.audit import violations
from tests.conftest import forget_pace
from tests.support.api_client import ApiClient, ApiResponse
from tests.support.factories import DiscrepancyFactory
from tests.support.parts_bank import PartsBank, parts_bank
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

MINUTES = timedelta(minutes=1)


@pytest.fixture
def parts(bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch, scripted: object) -> Iterator[PartsBank]:
    with parts_bank(monkeypatch) as parts:
        forget_pace(retries=3)
        yield parts


def captured(shop: ApiClient, amount: int = 43700) -> str:
    """The address of a payment of 500.00 of which so much is captured."""
    path = f"/payments/{shop.authorized(amount=50000)['id']}"
    assert shop.post(f"{path}/capture", {"amount": amount}).json["state"] == "CAPTURED"
    return path


def refund(shop: ApiClient, path: str, amount: int | None = None, key: str = "") -> ApiResponse:
    return shop.post(f"{path}/refund", None if amount is None else {"amount": amount}, key=key)


def executed_at_the_bank(operation: Operation, reference: str) -> None:
    """As a late reply tells it of what our books call not executed."""
    DiscrepancyFactory(kind="late_reply", operation=operation, evidence={"reference": reference})


def no_reply_of(parts: PartsBank, times: int = 1000) -> None:
    parts.silent = times


class TestWhereTheBankTakesParts:
    def test_437_of_500_are_captured_and_given_back_in_two_parts(self, test_mode: ApiClient) -> None:
        path = captured(test_mode)
        receipt = test_mode.get(path).json
        assert (receipt["amount"], receipt["captured_amount"], receipt["refunds"]) == (50000, 43700, [])

        first = test_mode.post(f"{path}/refund", {"amount": 10000, "reason": "one mug"}).json
        assert (first["state"], first["refunded_amount"], first["refunded_at"]) == ("CAPTURED", 10000, None)
        second = refund(test_mode, path).json
        assert (second["state"], second["refunded_amount"]) == ("REFUNDED", 43700)
        assert [(one["amount"], one["reason"]) for one in second["refunds"]] == [
            (10000, "one mug"),
            (33700, None),
        ]
        assert second["refunds"][0] == first["refunds"][0]
        assert second["bank"]["refund_id"] == second["refunds"][1]["bank_reference"]
        assert test_mode.get(path).json == second
        assert test_mode.get("/payments").json["results"] == [second]

        events = test_mode.get(f"{path}/events").json["results"]
        told = [(one["type"], one["amount"]) for one in events if one["type"].startswith("payment.")]
        assert told[2:] == [
            ("payment.captured", 43700),
            ("payment.refunded", 10000),
            ("payment.refunded", 33700),
        ]
        assert violations() == []

    @pytest.mark.parametrize("amount", [43701, 50000])
    def test_no_more_is_given_back_than_was_captured(self, test_mode: ApiClient, amount: int) -> None:
        refused = refund(test_mode, captured(test_mode), amount)
        assert (refused.status, refused.json["code"]) == (422, "amount_mismatch")
        assert "At most $437.00 can be refunded" in refused.json["detail"]
        assert not Operation.objects.filter(kind="refund").exists()

    def test_no_more_is_captured_than_was_held_and_it_is_captured_once(self, test_mode: ApiClient) -> None:
        path = f"/payments/{test_mode.authorized(amount=50000)['id']}"
        assert test_mode.post(f"{path}/capture", {"amount": 50001}).status == 422
        assert test_mode.post(f"{path}/capture", {"amount": 43700}).status == 200
        rest = test_mode.post(f"{path}/capture", {"amount": 6300})
        assert (rest.status, rest.json["code"]) == (409, "invalid_transition")

    def test_a_hold_is_voided_whole(self, test_mode: ApiClient) -> None:
        path = f"/payments/{test_mode.authorized(amount=50000)['id']}"
        assert test_mode.post(f"{path}/void", {"amount": 1}).status == 422
        assert test_mode.post(f"{path}/void", {"amount": 50000}).status == 200


class TestWhereTheBankTakesFullAmountsOnly:
    def test_a_part_is_a_422_that_says_what_is_possible(self, live: ApiClient, bank: SimulatedBank) -> None:
        path = f"/payments/{live.authorized(amount=50000)['id']}"
        refused = [live.post(f"{path}/capture", {"amount": 43700})]
        live.post(f"{path}/capture", {"amount": 50000})
        refused += [live.post(f"{path}/refund", {"amount": amount}) for amount in (43700, 50001)]
        assert [(one.status, one.json["code"]) for one in refused] == [(422, "amount_mismatch")] * 3
        assert "can only be captured in full: $500.00" in refused[0].json["detail"]
        assert "can only be refunded in full: $500.00" in refused[1].json["detail"]
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "CAPTURE"]
        assert live.post(f"{path}/refund", {"amount": 50000}).status == 200


class TestWhatIsInDoubt:
    def test_counts_as_spent(self, test_mode: ApiClient, parts: PartsBank) -> None:
        path = captured(test_mode)
        no_reply_of(parts)
        assert refund(test_mode, path, 40000).status == 202
        beside = refund(test_mode, path, 3700)
        assert (beside.status, beside.json["code"]) == (409, "operation_in_progress")
        assert violations() == []
        no_reply_of(parts, 0)
        let_pass(5 * MINUTES)
        recover_due(within=timedelta(seconds=5))
        assert test_mode.get(path).json["refunded_amount"] == 40000
        assert sorted(parts.refunds.values()) == [40000]
        assert refund(test_mode, path, 3701).status == 422
        assert refund(test_mode, path).json["state"] == "REFUNDED"
        assert violations() == []

    def test_is_not_deduced_from_already_refunded(self, test_mode: ApiClient, parts: PartsBank) -> None:
        path = captured(test_mode)
        no_reply_of(parts)
        assert refund(test_mode, path, 40000).status == 202
        no_reply_of(parts, 0)
        parts.refused = [Said.ALREADY_REFUNDED]
        let_pass(5 * MINUTES)
        recover_due(within=timedelta(seconds=1))
        assert Operation.objects.get(kind="refund").state == "NEEDS_REVIEW"
        assert Discrepancy.objects.get().kind == "not_deducible"
        assert test_mode.get(path).json["refunded_amount"] == 0
        # Nor are people told that it is done, or kept from recording the contrary.
        assert not is_called_done(Operation.objects.get(kind="refund"))


class TestWhatWasNotExecuted:
    def test_is_run_again_as_another_instruction_when_less_is_left(
        self, test_mode: ApiClient, parts: PartsBank
    ) -> None:
        path = captured(test_mode)
        parts.unsent = 1000
        assert refund(test_mode, path, key="all").status == 503
        parts.unsent = 0
        assert refund(test_mode, path, 3700).status == 200
        assert refund(test_mode, path, key="all").json["state"] == "REFUNDED"
        assert sorted(parts.refunds.values()) == [3700, 40000]
        keys = Operation.objects.filter(kind="refund").values_list("bank_idempotency_key", flat=True)
        assert len(set(keys)) == 3
        assert violations() == []


class TestASibling:
    """What is known of one refund is no answer to another."""

    @pytest.fixture
    def found_late(self, test_mode: ApiClient, parts: PartsBank) -> str:
        """Of 437.00, 100.00 are given back at the bank, and our books call that not executed: a case."""
        path = captured(test_mode)
        parts.unsent = 1000
        assert refund(test_mode, path, 10000, key="late").status == 503
        parts.unsent = 0
        operation = Operation.objects.get(kind="refund")
        parts.refunds["ref_late"] = 10000
        executed_at_the_bank(operation, "ref_late")
        return path

    def test_that_was_found_late_is_spent_and_not_settled_by_another(
        self, test_mode: ApiClient, parts: PartsBank, found_late: str
    ) -> None:
        assert refund(test_mode, found_late, 33701).status == 422
        assert refund(test_mode, found_late, 33700).status == 200
        assert Discrepancy.objects.get().closed_at is None
        assert sum(parts.refunds.values()) == 43700

    def test_that_was_found_late_is_settled_by_its_own_retry(
        self, test_mode: ApiClient, parts: PartsBank, found_late: str
    ) -> None:
        assert refund(test_mode, found_late, 10000, key="late").status == 200
        assert Discrepancy.objects.get().closed_at is not None

    def test_capture_that_was_found_late_leaves_nothing_to_another(
        self, test_mode: ApiClient, parts: PartsBank
    ) -> None:
        path = f"/payments/{test_mode.authorized(amount=50000)['id']}"
        parts.unsent = 1000
        assert test_mode.post(f"{path}/capture", {"amount": 43700}, key="late").status == 503
        parts.unsent = 0
        executed_at_the_bank(Operation.objects.get(kind="capture"), "cap_late")
        for amount in (50000, 6300):
            assert test_mode.post(f"{path}/capture", {"amount": amount}).status == 422
        assert test_mode.post(f"{path}/capture", {"amount": 43700}, key="late").status == 200
        assert Discrepancy.objects.get().closed_at is not None


class TestABankReference:
    def test_that_another_refund_has_is_a_contradiction(
        self, test_mode: ApiClient, parts: PartsBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = captured(test_mode)
        first = refund(test_mode, path, 10000).json["bank"]["refund_id"]
        send = PartsBank.send

        def names_the_first(*args: object, **kwargs: object) -> object:
            reply = send(*args, **kwargs)  # type: ignore[arg-type]
            return type(reply)(200, first, replayed=False)  # type: ignore[call-arg]

        monkeypatch.setattr(PartsBank, "send", names_the_first)
        assert refund(test_mode, path, 10000).status == 202
        assert Operation.objects.filter(kind="refund").latest("created_at").state == "NEEDS_REVIEW"
        assert Discrepancy.objects.get().kind == "contradiction"
        assert Payment.objects.get().refunded_minor == 10000
        assert Event.objects.filter(type="payment.refunded").count() == 1
        assert violations() == []
