"""One payment, asked for several things at once: one of them happens, once."""

import uuid

import pytest

from payments.models import Event, Operation
from tests.adversity.races.books import assert_books_agree
from tests.adversity.races.remote import RemoteClient
from tests.support.api_client import ApiResponse
from tests.support.at_once import at_once
from tests.support.simulated_bank import SimulatedBank

_ROUNDS = 3
_ENTRIES = {"capture": "CAPTURE", "void": "VOID", "refund": "REFUND"}
_BUSY = {"operation_in_progress", "invalid_transition"}


@pytest.fixture(autouse=True)
def weather(bank: SimulatedBank) -> None:
    """The bank takes its time, so that the race is not over before all have begun."""
    bank.weather(min_latency_ms=30, max_latency_ms=60)


def instructed(shop: RemoteClient, verb: str) -> str:
    payment = shop.captured() if verb == "refund" else shop.authorized()
    return f"/payments/{payment['id']}"


def assert_one_won(answers: list[ApiResponse]) -> None:
    assert sorted(answer.status for answer in answers) == [200] + [409] * (len(answers) - 1)
    assert {answer.json["code"] for answer in answers if answer.status == 409} <= _BUSY


class TestCaptureAgainstVoid:
    def test_one_of_them_happens_and_the_other_is_told_so(
        self, shop: RemoteClient, bank: SimulatedBank
    ) -> None:
        for _ in range(_ROUNDS):
            path = instructed(shop, "capture")
            captured, voided = at_once(
                lambda path=path: shop.post(f"{path}/capture"), lambda path=path: shop.post(f"{path}/void")
            )
            assert_one_won([captured, voided])
            won = "CAPTURED" if captured.status == 200 else "VOIDED"
            assert shop.get(path).json["state"] == won
        done = [entry for entry in bank.ledger() if entry.type in ("CAPTURE", "VOID")]
        assert len({entry.reference_id for entry in done}) == len(done) == _ROUNDS
        assert assert_books_agree(bank) == []


class TestTwoOfTheSame:
    @pytest.mark.parametrize("verb", ["capture", "void", "refund"])
    def test_with_two_keys_are_one(self, shop: RemoteClient, bank: SimulatedBank, verb: str) -> None:
        for _ in range(_ROUNDS):
            path = f"{instructed(shop, verb)}/{verb}"
            assert_one_won(at_once(*[lambda path=path: shop.post(path)] * 3))
        assert self._done(bank, verb) == Operation.objects.filter(kind=verb).count() == _ROUNDS
        assert assert_books_agree(bank) == []

    @pytest.mark.parametrize("verb", ["capture", "void", "refund"])
    def test_with_one_key_are_one_and_answered_alike(
        self, shop: RemoteClient, bank: SimulatedBank, verb: str
    ) -> None:
        for _ in range(_ROUNDS):
            path, key = f"{instructed(shop, verb)}/{verb}", uuid.uuid4().hex
            answers = at_once(*[lambda path=path, key=key: shop.post(path, key=key)] * 4)
            answers.append(shop.post(path, key=key))
            done = [answer for answer in answers if answer.status == 200]
            assert len({answer.body for answer in done}) == 1
            assert len([one for one in done if "Idempotent-Replayed" not in one.headers]) == 1
            refused = {answer.json["code"] for answer in answers if answer.status != 200}
            assert refused <= {"idempotency_key_in_use"}
        assert self._done(bank, verb) == Operation.objects.filter(kind=verb).count() == _ROUNDS
        told = {"capture": "payment.captured", "void": "payment.voided", "refund": "payment.refunded"}[verb]
        assert Event.objects.filter(type=told).count() == _ROUNDS
        assert assert_books_agree(bank) == []

    def _done(self, bank: SimulatedBank, verb: str) -> int:
        return len([entry for entry in bank.ledger() if entry.type == _ENTRIES[verb]])
