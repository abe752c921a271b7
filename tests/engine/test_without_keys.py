"""A bank that knows no keys: what it may have executed is never sent again, by anybody.

Each test ends at the acquirer's own journal: no payment was asked for twice, unless the earlier calls were
its word that nothing was done.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from office.cases.review import queue
from office.decisions import resolve
from office.decisions.evidence import Evidence
from payments.domain.replies import Said
from payments.domain.timing import Timing
from payments.engine import leases
from payments.engine.capacity import capacity_of, timing_of
from payments.models import Attempt, Discrepancy, Event, Operation, Payment
from payments.usecases import recovery
from reconciliation.services.audit import violations
from reconciliation.services.explain import explain
from tests.banks.raw_server import port_nobody_listens_on
from tests.office.decisions.cases import member, not_executed
from tests.support.api_client import CARDS, ApiClient, ApiResponse, order
from tests.support.simulated_acquirer import SimulatedAcquirer
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

Until = Callable[[Callable[[], Any]], Any]
WITHIN = timedelta(seconds=5)
MALFORMED = {"executed": False, "status": 400, "body": '{"error_message": "expiry"}'}
NO, AWAY = CARDS["visa-500"], CARDS["expired"]  # by their last digits, 2 and 0


@pytest.fixture(autouse=True)
def never_twice(live: ApiClient, acquirer: SimulatedAcquirer, scripted: Timing) -> Iterator[None]:
    yield
    assert violations() == []


def euros(**changes: Any) -> dict[str, Any]:
    return order(currency="EUR", **changes)


def calls(acquirer: SimulatedAcquirer) -> list[int | None]:
    """The statuses that the acquirer has answered, in order."""
    return [seen.status for seen in acquirer.requests()]


def under_review(answer: ApiResponse) -> None:
    assert (answer.status, answer.json["pending_operation"]) == (202, "authorize")
    assert (answer.json["state"], answer.json["money_moved"]) == ("PENDING", "unknown")
    assert Operation.objects.get().state == "NEEDS_REVIEW"
    assert Discrepancy.objects.get().kind == "cannot_ask"


def record_not_executed() -> None:
    proposal = not_executed(Operation.objects.get(), Evidence.BANK_WORD, quote="We have no such payment.")
    proposed = resolve.propose(member("kim"), proposal).resolution
    resolve.approve(member("lee"), proposed.pk, reason="so it is")


@dataclass(frozen=True)
class Leaves:
    """How the acquirer comes to say it, and what that leaves of the operation and of its payment."""

    operation: str
    payment: str
    card: str = "visa"  # by its last digit
    step: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    is_away: bool = False


# docs/outcomes.md links each of its cells to the line below that holds it.
WORDS: dict[Said, Leaves] = {
    Said.APPROVED: Leaves("SUCCEEDED", "AUTHORIZED"),
    Said.DECLINED: Leaves("DECLINED", "DECLINED", "visa-500"),
    Said.BANK_ERROR: Leaves("NOT_EXECUTED", "FAILED", step="garbage", options=MALFORMED),
    Said.NOT_DONE: Leaves("NOT_EXECUTED", "FAILED", "expired"),
    Said.SILENCE: Leaves("NEEDS_REVIEW", "PENDING", step="drop_after"),
    Said.NOT_SENT: Leaves("NOT_EXECUTED", "FAILED", is_away=True),
}


@pytest.mark.parametrize("said", WORDS)
def test_every_word_leaves_the_operation_and_its_payment_so(
    live: ApiClient, acquirer: SimulatedAcquirer, settings: Any, said: Said
) -> None:
    word = WORDS[said]
    if word.step:
        acquirer.script("payments", word.step, **word.options)
    with port_nobody_listens_on() as nobody:
        if word.is_away:
            settings.ACQUIRER_URL = nobody
        live.post("/payments", euros(card=CARDS[word.card]))
    assert (Operation.objects.get().state, Payment.objects.get().state) == (word.operation, word.payment)
    assert Attempt.objects.latest("number").said == said


class TestAnswered:
    def test_an_approval_holds_without_an_end_and_its_order_may_ship(
        self, live: ApiClient, acquirer: SimulatedAcquirer
    ) -> None:
        receipt = live.authorized(**euros())
        assert receipt["bank"]["authorization_id"] == acquirer.decisions()[0].authorization_code
        assert (receipt["currency"], receipt["authorization_expires_at"]) == ("EUR", None)
        shown = live.get(f"/orders/{receipt['order_id']}").json
        assert (shown["ready_to_ship"], shown["reason"]) == (True, "The payment is AUTHORIZED.")
        let_pass(timedelta(days=400))
        assert recovery.recover_due(within=WITHIN) == 0
        assert live.receipt(receipt["id"])["state"] == "AUTHORIZED"

    def test_a_no_is_a_decline_for_good(self, live: ApiClient, acquirer: SimulatedAcquirer) -> None:
        body = euros(card=NO)
        answers = [live.post("/payments", body, key="k") for _ in range(2)]
        assert [(one.status, one.json["code"]) for one in answers] == [(402, "declined")] * 2
        assert answers[0].body == answers[1].body
        assert calls(acquirer) == [200]

    def test_its_word_that_nothing_was_done_is_followed_by_another_attempt(
        self, live: ApiClient, acquirer: SimulatedAcquirer
    ) -> None:
        acquirer.script("payments", "unavailable", times=2)
        assert live.post("/payments", euros()).status == 201
        assert calls(acquirer) == [503, 503, 200]
        assert [one.in_doubt for one in Attempt.objects.order_by("number")] == [False] * 3

    def test_nothing_but_that_word_is_not_executed_and_the_key_starts_anew(
        self, live: ApiClient, acquirer: SimulatedAcquirer
    ) -> None:
        answer = live.post("/payments", body := euros(card=AWAY), key="k")
        assert (answer.status, answer.json["code"]) == (503, "bank_unavailable")
        assert answer.json["money_moved"] == "no"
        assert set(calls(acquirer)) == {503}
        again = live.post("/payments", body, key="k")
        assert again.json["payment"]["id"] != answer.json["payment"]["id"]
        assert set(Operation.objects.values_list("look_again_at", "state")) == {(None, "NOT_EXECUTED")}

    def test_what_it_calls_malformed_was_not_executed_and_is_not_repeated(
        self, live: ApiClient, acquirer: SimulatedAcquirer
    ) -> None:
        acquirer.script("payments", "garbage", **MALFORMED)
        assert live.post("/payments", euros()).status == 503
        assert calls(acquirer) == [400]


SILENCES: list[tuple[str, dict[str, Any]]] = [
    ("drop_before", {}),
    ("drop_after", {}),
    ("hang_after", {"seconds": 3}),
    ("garbage", {"status": 503, "body": "<h1>Bad gateway</h1>"}),
    ("garbage", {"status": 200, "body": "{"}),
]


class TestSilent:
    @pytest.mark.parametrize(("step", "options"), SILENCES, ids=str)
    def test_nobody_sends_it_again(
        self,
        live: ApiClient,
        acquirer: SimulatedAcquirer,
        quick: Timing,
        step: str,
        options: dict[str, Any],
    ) -> None:
        acquirer.script("payments", step, **options)
        body = euros()
        under_review(live.post("/payments", body, key="k"))
        let_pass(timedelta(minutes=2))
        under_review(live.post("/payments", body, key="k"))
        assert recovery.recover_due(within=WITHIN) == 0
        recovery.recover(Operation.objects.get().pk)  # what *Ask again* does
        under_review(live.post("/payments", body, key="k"))
        other = live.post("/payments", body, key="another")
        assert (other.status, other.json["code"]) == (409, "order_already_has_payment")
        assert len(calls(acquirer)) == 1
        assert Event.objects.filter(type="operation.needs_review").count() == 1

    def test_after_its_word_that_nothing_was_done_it_is_silent_for_good_too(
        self, live: ApiClient, acquirer: SimulatedAcquirer
    ) -> None:
        acquirer.script("payments", "unavailable")
        acquirer.script("payments", "drop_after")
        under_review(live.post("/payments", euros()))
        assert calls(acquirer) == [503, None]

    def test_staff_are_told_what_to_look_for(self, live: ApiClient, acquirer: SimulatedAcquirer) -> None:
        acquirer.script("payments", "drop_after")
        live.post("/payments", euros())
        case = queue()[0]
        assert "can neither ask nor resend" in case.why
        assert "settlement report" in case.advice
        assert any("nothing is sent again" in said for said in explain(Payment.objects.get()))

    def test_recorded_as_not_executed_the_same_key_begins_a_new_payment(
        self, live: ApiClient, acquirer: SimulatedAcquirer
    ) -> None:
        acquirer.script("payments", "drop_before")
        first = live.post("/payments", body := euros(), key="k")
        let_pass(timedelta(minutes=2))
        record_not_executed()
        again = live.post("/payments", body, key="k")
        assert again.status == 201
        assert again.json["id"] != first.json["id"]
        assert live.receipt(first.json["id"])["state"] == "FAILED"
        let_pass(timedelta(hours=30))
        assert recovery.recover_due(within=WITHIN) == 0  # nothing can be looked for
        assert calls(acquirer) == [None, 200]


class TestASenderThatHasDied:
    """Its attempt has no end; its lease runs out."""

    @pytest.fixture
    def body(self, live: ApiClient, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        def dies(*_: Any, **__: Any) -> None:
            raise SystemExit

        with monkeypatch.context() as patch:
            patch.setattr("payments.engine.send.carry_out", dies)
            with pytest.raises(SystemExit):
                live.post("/payments", body := euros(), key="k")
        assert Attempt.objects.get().ended_at is None
        let_pass(timedelta(seconds=timing_of("acquirer").lease))
        return body

    def test_is_under_review_at_once_by_recovery(
        self, live: ApiClient, acquirer: SimulatedAcquirer, body: dict[str, Any]
    ) -> None:
        assert recovery.recover_due(within=WITHIN) == 1
        under_review(live.post("/payments", body, key="k"))
        assert calls(acquirer) == []

    def test_is_not_continued_by_the_merchants_card(
        self, live: ApiClient, acquirer: SimulatedAcquirer, body: dict[str, Any]
    ) -> None:
        answer = live.post("/payments", body, key="k")
        assert (answer.status, answer.json["pending_operation"]) == (202, "authorize")
        assert leases.take_over(Operation.objects.get().pk) is None
        assert calls(acquirer) == []


class TestAReplyThatComesLate:
    """Its sender was away for so long that recovery has handed the operation to people."""

    @pytest.fixture(autouse=True)
    def nobody_hangs_up(self, settings: Any, never_twice: None) -> None:
        settings.BANK_TIMING = Timing()

    @pytest.mark.parametrize(
        ("card", "state"), [(CARDS["visa"], "AUTHORIZED"), (NO, "DECLINED")], ids=["yes", "no"]
    )
    def test_settles_it_all_the_same(
        self, live: ApiClient, acquirer: SimulatedAcquirer, until: Until, card: dict[str, Any], state: str
    ) -> None:
        acquirer.hold()
        with ThreadPoolExecutor(1) as client:
            asked = client.submit(on_a_thread, lambda: live.post("/payments", euros(card=card), key="k"))
            acquirer.wait_until_held()
            let_pass(timedelta(seconds=timing_of("acquirer").lease))
            assert recovery.recover_due(within=WITHIN) == 1
            assert Operation.objects.get().state == "NEEDS_REVIEW"
            acquirer.release()
            asked.result()
        until(lambda: Payment.objects.filter(state=state).exists())
        assert not Discrepancy.objects.filter(closed_at=None).exists()
        assert len(calls(acquirer)) == 1

    def test_is_for_people_where_they_had_found_that_nothing_was_executed(
        self, live: ApiClient, acquirer: SimulatedAcquirer, until: Until
    ) -> None:
        """Nobody can void the hold there, so nothing but the case in the queue tells of it."""
        acquirer.hold()
        with ThreadPoolExecutor(1) as client:
            asked = client.submit(on_a_thread, lambda: live.post("/payments", euros(), key="k"))
            acquirer.wait_until_held()
            let_pass(timedelta(seconds=timing_of("acquirer").lease))
            assert recovery.recover_due(within=WITHIN) == 1
            record_not_executed()
            acquirer.release()
            asked.result()
        until(lambda: Discrepancy.objects.filter(kind="late_reply", closed_at=None).exists())
        case = queue()[0]
        assert "executed it, but our books say not executed" in case.why
        assert recovery.recover_due(within=WITHIN) == 0
        assert not Operation.objects.filter(kind="release").exists()


class TestAnAnswerThatCannotBeRecorded:
    """Its outcome's transaction is undone; the answer is put down, since nobody can ask again."""

    @pytest.mark.parametrize(
        ("card", "state"), [(CARDS["visa"], "authorized"), (NO, "declined")], ids=["yes", "no"]
    )
    def test_is_taken_by_recovery(
        self, live: ApiClient, acquirer: SimulatedAcquirer, card: dict[str, Any], state: str
    ) -> None:
        with connection.cursor() as cursor:
            broken = f"ADD CONSTRAINT broken CHECK (type <> 'payment.{state}')"
            cursor.execute(f"ALTER TABLE payments_event {broken}")
        try:
            assert live.post("/payments", body := euros(card=card), key="k").status == 500
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE payments_event DROP CONSTRAINT broken")
        assert Operation.objects.get().state == "OPEN"
        let_pass(timedelta(minutes=2))
        assert recovery.recover_due(within=WITHIN) == 1
        assert Payment.objects.get().state == state.upper()
        assert live.post("/payments", body, key="k").status == (201 if state == "authorized" else 402)
        assert len(calls(acquirer)) == 1


class TestOneBankThatStalls:
    def test_takes_no_thread_breaker_or_retry_from_another(
        self, live: ApiClient, bank: SimulatedBank, acquirer: SimulatedAcquirer, settings: Any
    ) -> None:
        """All threads of the one are held until the payments at the other are done."""
        settings.BANK_TIMING = Timing()
        settings.BANK_THREADS_OF = {"acquirer": 3, "ficmart": 2}
        capacity_of.cache_clear()
        acquirer.hold()
        with ThreadPoolExecutor(3) as clients:
            stalled = [clients.submit(on_a_thread, lambda: live.post("/payments", euros())) for _ in range(3)]
            acquirer.wait_until_held(3)
            crowded = live.post("/payments", euros())
            assert (crowded.status, crowded.json["code"]) == (503, "overloaded")
            for _ in range(4):
                payment = live.captured()
                assert live.post(f"/payments/{payment['id']}/refund").status == 200
            assert acquirer.waiting() == 3
            assert capacity_of("acquirer").threads.busy == 3
            acquirer.release()
            assert [one.result().status for one in stalled] == [201] * 3
        capacity_of.cache_clear()

    def test_a_breaker_that_opens_refuses_nothing_elsewhere(
        self, live: ApiClient, bank: SimulatedBank, acquirer: SimulatedAcquirer
    ) -> None:
        acquirer.script("payments", "unavailable", times=1000)
        while not capacity_of("acquirer").breaker.is_open:
            assert live.post("/payments", euros()).status == 503
        assert live.authorized()["state"] == "AUTHORIZED"
        assert not capacity_of("ficmart").breaker.is_open


def on_a_thread(call: Callable[[], ApiResponse]) -> ApiResponse:
    assert threading.current_thread() is not threading.main_thread()
    try:
        return call()
    finally:
        connection.close()
