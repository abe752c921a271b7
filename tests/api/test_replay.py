"""One key, one instruction, one answer: replays, continuations and new starts."""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from rest_framework.serializers import ValidationError

from payments.domain.timing import Timing
from payments.engine import claim
from payments.engine.capacity import capacity_of
from payments.models import IdempotencyKey, Operation
from payments.models.clock import clock_in
from tests.support.api_client import CARDS, ApiClient, ApiResponse, order
from tests.support.at_once import at_once
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass
from tests.support.unguarded import unguarded

_HEADERS_THAT_MATTER = ("Content-Type", "Location", "Retry-After")


def assert_replayed(first: ApiResponse, again: ApiResponse) -> None:
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    for name in _HEADERS_THAT_MATTER:
        assert again.headers.get(name) == first.headers.get(name)


class TestReplay:
    def test_an_authorize_is_replayed_to_the_byte_whatever_became_of_the_payment(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        body, key = order(), uuid.uuid4().hex
        first = live.post("/payments", body, key=key)
        live.post(f"/payments/{first.json['id']}/capture")
        assert_replayed(first, live.post("/payments", body, key=key))
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "CAPTURE"]

    @pytest.mark.parametrize("verb", ["capture", "void", "refund"])
    def test_the_other_operations_are_replayed_too(
        self, live: ApiClient, bank: SimulatedBank, verb: str
    ) -> None:
        payment = live.captured() if verb == "refund" else live.authorized()
        path, key = f"/payments/{payment['id']}/{verb}", uuid.uuid4().hex
        first = live.post(path, {"reason": "once"}, key=key)
        asked = len(bank.requests())
        assert first.status == 200
        assert_replayed(first, live.post(path, {"reason": "once"}, key=key))
        assert len(bank.requests()) == asked

    def test_a_decline_is_final_and_replayed(self, live: ApiClient, bank: SimulatedBank) -> None:
        body, key = order(card=CARDS["no-funds"]), uuid.uuid4().hex
        first = live.post("/payments", body, key=key)
        assert first.status == 402
        assert_replayed(first, live.post("/payments", body, key=key))
        assert len(bank.requests()) == 1

    def test_a_rejection_is_final_and_replayed(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment, key = live.authorized(), uuid.uuid4().hex
        bank.move_clock(seconds=8 * 24 * 3600)
        first = live.post(f"/payments/{payment['id']}/capture", key=key)
        assert first.json["code"] == "authorization_expired"
        assert_replayed(first, live.post(f"/payments/{payment['id']}/capture", key=key))

    def test_a_replay_needs_no_free_bank_thread(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        body, key = order(), uuid.uuid4().hex
        first = live.post("/payments", body, key=key)
        settings.BANK_THREADS = 1
        capacity_of.cache_clear()
        with capacity_of("ficmart").threads.reserve():
            assert live.post("/payments", order()).json["code"] == "overloaded"
            assert_replayed(first, live.post("/payments", body, key=key))
        capacity_of.cache_clear()


class TestReuseForSomethingElse:
    def test_is_refused(self, live: ApiClient, bank: SimulatedBank) -> None:
        """Of another operation, too: tests/adversity/field_reports/test_money_moved_once.py."""
        body, key = order(), uuid.uuid4().hex
        live.post("/payments", body, key=key)
        for other in (body | {"amount": 5001}, body | {"card": CARDS["visa-500"]}):
            refused = live.post("/payments", other, key=key)
            assert (refused.status, refused.json["code"]) == (422, "idempotency_key_reused")
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD"]


class TestWhileUnfinished:
    def test_the_same_request_is_told_to_wait(self, live: ApiClient, bank: SimulatedBank) -> None:
        body, key = order(), uuid.uuid4().hex
        bank.hold("authorizations")
        threading.Thread(target=lambda: (live.post("/payments", body, key=key), connection.close())).start()
        bank.wait_until_held()
        waiting = live.post("/payments", body, key=key)
        assert (waiting.status, waiting.json["code"]) == (409, "idempotency_key_in_use")
        assert waiting.json["detail"] == (
            "The first request with this key is unfinished: its authorize has no known outcome yet. "
            "Retry with the same key."
        )
        assert int(waiting.headers["Retry-After"]) > 0
        assert waiting.json["payment"]["pending_operation"] == "authorize"

    def test_from_the_clients_bound_on_it_is_answered_202_as_it_stands(
        self, live: ApiClient, bank: SimulatedBank, settings: Any, until: Callable[..., Any]
    ) -> None:
        settings.BANK_TIMING = Timing(start_window=0.1, client_wait=0.3, backoff_base=0.05, backoff_cap=0.1)
        payment, key = live.authorized(), uuid.uuid4().hex
        bank.hold("captures")
        first = live.post(f"/payments/{payment['id']}/capture", key=key)
        again = live.post(f"/payments/{payment['id']}/capture", key=key)
        assert (first.status, again.status) == (202, 202)
        assert again.json["pending_operation"] == "capture"
        bank.release()
        until(lambda: live.receipt(payment["id"])["state"] == "CAPTURED")
        final = live.post(f"/payments/{payment['id']}/capture", key=key)
        assert (final.status, final.json["state"]) == (200, "CAPTURED")
        assert final.headers["Idempotent-Replayed"] == "true"
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "CAPTURE"]


class TestNotExecuted:
    def test_an_authorize_starts_anew_as_a_new_payment_under_the_same_bank_key(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        settings.BANK_TIMING = Timing(start_window=0.1, backoff_base=0.1, backoff_cap=0.1)
        body, key = order(), uuid.uuid4().hex
        bank.stop()
        first = live.post("/payments", body, key=key)
        second = live.post("/payments", body, key=key)
        bank.restart()
        third = live.post("/payments", body, key=key)
        assert [first.status, second.status, third.status] == [503, 503, 201]
        assert len({first.json["payment"]["id"], second.json["payment"]["id"], third.json["id"]}) == 3
        assert_replayed(third, live.post("/payments", body, key=key))
        assert len(set(Operation.objects.values_list("bank_idempotency_key", flat=True))) == 1
        assert len(bank.ledger()) == 1
        reused = live.post("/payments", body | {"amount": 1}, key=key)
        assert reused.status == 422

    def test_a_capture_starts_anew_on_the_same_payment(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        settings.BANK_TIMING = Timing(start_window=0.1, backoff_base=0.1, backoff_cap=0.1)
        payment, key = live.authorized(), uuid.uuid4().hex
        bank.stop()
        assert live.post(f"/payments/{payment['id']}/capture", key=key).status == 503
        bank.restart()
        assert live.post(f"/payments/{payment['id']}/capture", key=key).status == 200
        assert Operation.objects.filter(kind="capture").count() == 2

    def test_a_bank_key_that_the_bank_may_have_forgotten_is_not_sent_again(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        settings.BANK_TIMING = Timing(start_window=0.1, backoff_base=0.1, backoff_cap=0.1)
        body, key = order(), uuid.uuid4().hex
        bank.stop()
        live.post("/payments", body, key=key)
        bank.restart()
        with unguarded():
            Operation.objects.update(created_at=clock_in(-23 * 3600 - 1))
        assert live.post("/payments", body, key=key).status == 201
        assert list(Operation.objects.order_by("created_at").values_list("ordinal", flat=True)) == [0, 1]
        assert len(set(Operation.objects.values_list("bank_idempotency_key", flat=True))) == 2

    def test_many_that_start_anew_at_once_make_one_operation(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        settings.BANK_TIMING = Timing(start_window=0.1, backoff_base=0.1, backoff_cap=0.1)
        body, key = order(), uuid.uuid4().hex
        bank.stop()
        assert live.post("/payments", body, key=key).status == 503
        bank.restart()
        settings.BANK_TIMING = Timing()
        answers = at_once(*[lambda: live.post("/payments", body, key=key)] * 8)
        assert {answer.status for answer in answers} <= {201, 409}
        assert 201 in {answer.status for answer in answers}
        assert Operation.objects.count() == 2
        assert len(bank.ledger()) == 1


class TestRetention:
    def test_keys_are_swept_after_thirty_days_but_never_while_unfinished(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        settings.BANK_TIMING = Timing(start_window=0.1, client_wait=0.3, backoff_base=0.05, backoff_cap=0.1)
        live.post("/payments", order(), key="finished")
        live.post("/payments", order(), key="finished-too")
        bank.script("authorizations", "fail_before", times=1000)
        live.post("/payments", order(), key="in-doubt")
        bank.clear_script()
        live.post("/payments", order(), key="young")
        with unguarded():
            IdempotencyKey.objects.exclude(key="young").update(created_at=clock_in(-30 * 24 * 3600 - 1))
        assert claim.sweep(limit=1) == 1
        assert claim.sweep(limit=10) == 1
        assert claim.sweep(limit=10) == 0
        assert set(IdempotencyKey.objects.values_list("key", flat=True)) == {"in-doubt", "young"}

    def test_a_swept_key_is_a_new_instruction_with_a_new_bank_key(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        body = order()
        first = live.post("/payments", body, key="again").json
        live.post(f"/payments/{first['id']}/void")
        with unguarded():
            IdempotencyKey.objects.update(created_at=clock_in(-31 * 24 * 3600))
        claim.sweep(limit=10)
        assert live.post("/payments", body, key="again").status == 201
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "VOID", "AUTH_HOLD"]
        authorizes = Operation.objects.filter(kind="authorize").order_by("created_at")
        assert list(authorizes.values_list("ordinal", flat=True)) == [0, 1]


MONTHS_END = "2029-03-01T11:59:00Z"
AFTERWARDS = "2029-03-01T12:01:00Z"
FEBRUARY = CARDS["visa"] | {"expiry_year": 2029, "expiry_month": 2}


class TestTheKeyComesBeforeTheBody:
    """What was answered once is answered again, whatever has changed since."""

    def test_when_the_cards_month_has_ended_since(self, live: ApiClient, bank: SimulatedBank) -> None:
        for card in (FEBRUARY, FEBRUARY | {"number": CARDS["no-funds"]["number"]}):
            body, key = order(card=card), uuid.uuid4().hex
            with time_machine.travel(MONTHS_END, tick=False):
                first = live.post("/payments", body, key=key)
            with time_machine.travel(AFTERWARDS, tick=False):
                assert_replayed(first, live.post("/payments", body, key=key))
                assert live.post("/payments", body).json["errors"][0]["code"] == "in_the_past"

    @pytest.mark.usefixtures("quick")
    def test_when_the_cards_month_has_ended_with_the_authorize_in_doubt(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        """There may be a hold: a 400 that says `money_moved: no` would be a lie."""
        body, key = order(card=FEBRUARY), uuid.uuid4().hex
        bank.script("authorizations", "drop_after", times=50)
        with time_machine.travel(MONTHS_END, tick=False):
            assert live.post("/payments", body, key=key).status == 202
        let_pass(timedelta(minutes=2))
        asked = len(bank.requests())
        with time_machine.travel(AFTERWARDS, tick=False):
            again = live.post("/payments", body, key=key)
        assert (again.status, again.json["money_moved"]) == (202, "unknown")
        assert len(bank.requests()) == asked  # a card that we would refuse is not sent

    def test_when_our_rules_have_changed_since(
        self, live: ApiClient, bank: SimulatedBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body, key = order(), uuid.uuid4().hex
        first = live.post("/payments", body, key=key)
        capture = f"/payments/{first.json['id']}/capture"
        captured = live.post(capture, {"reason": "shipped"}, key="capture-1")

        def refuse(*_: Any) -> None:
            raise ValidationError({"": "Nothing is valid any more."})

        for name in ("AuthorizeSerializer", "OperationSerializer"):
            monkeypatch.setattr(f"payments.api.serializers.{name}.to_internal_value", refuse)
        assert live.post("/payments", body).status == 400
        assert_replayed(first, live.post("/payments", body, key=key))
        assert_replayed(captured, live.post(capture, {"reason": "shipped"}, key="capture-1"))

    def test_no_other_body_passes_for_the_first_one_however_invalid(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        path = f"/payments/{live.authorized()['id']}/capture"
        assert live.post(path, key="k-1").status == 200
        for body in (
            *(b"[]", b"null", b'"a"', b"5", b"1e999", b'{"amount":0}', b'{"reason":5}', b'{"x":1}'),
            *(b"{", b"\xff", b'{"a":1,"a":1}', b'{"a":NaN}', b" " * 70_000),
            b'{"a":' * 900 + b"1" + b"}" * 900,
        ):
            answer = live.post(path, body, key="k-1")
            assert (answer.status, answer.json["code"]) == (422, "idempotency_key_reused"), body[:40]
            assert live.post(path, b"{}", key="k-1").headers["Idempotent-Replayed"] == "true", body[:40]

    def test_an_invalid_body_under_a_new_key_leaves_it_free(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        path = f"/payments/{live.authorized()['id']}/capture"
        for body in (b"{", b"[]", b'{"amount":0}', b" " * 70_000):
            assert live.post(path, body, key="k-1").status in (400, 413)
        assert live.post(path, key="k-1").status == 200
