"""People have said that something was not executed, and then the bank says that it was."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from office.decisions import resolve
from office.decisions.evidence import CannotResolve, Evidence, Kind, Proposal
from office.decisions.kinds import needs_second
from office.log.staff import Staff
from payments.domain.timing import Timing
from payments.engine import record
from payments.models import Discrepancy, Operation, Payment
from payments.usecases.expirations import expire_due
from payments.usecases.holds import Hold
from payments.usecases.recovery import recover_due
from reconciliation.services.audit import violations
from tests.adversity.attack.people import by_the_banks_word, held, recovered, the_only, told
from tests.conftest import wait_for_bank_threads
from tests.office.decisions.cases import not_executed
from tests.office.decisions.cases import recording as reference_of
from tests.support.api_client import ApiClient
from tests.support.bank_books import disagreements
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass
from tests.support.unguarded import unguarded

MINUTES, HOURS, DAYS = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
pytestmark = pytest.mark.usefixtures("brief", "long_calls")


def is_ready(live: ApiClient, order_id: str) -> bool:
    return bool(live.get(f"/orders/{order_id}").json["ready_to_ship"])


def open_cases() -> list[str]:
    return list(Discrepancy.objects.filter(closed_at=None).values_list("kind", flat=True))


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
def test_the_merchants_own_retry_settles_it(
    live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff, verb: str, settings: Any
) -> None:
    with held(live, bank, verb):
        by_the_banks_word(the_only(verb), kim, lee)
    assert open_cases() == ["late_reply"]
    settings.BANK_TIMING = Timing()
    payment = Payment.objects.get()
    assert live.post(f"/payments/{payment.public_id}/{verb}", key="k").status == 200
    assert open_cases() == []
    assert violations() == []
    assert disagreements(bank, settled=True) == []


def test_it_is_no_case_where_the_retry_was_first(
    live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = live.authorized()
    record_end, first, may_go = record.record_end, threading.Lock(), threading.Event()

    def slow(*args: object) -> object:
        if first.acquire(blocking=False):
            assert may_go.wait(20)
        return record_end(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(record, "record_end", slow)
    assert live.post(f"/payments/{payment['id']}/capture", key="k").status == 202
    let_pass(1 * MINUTES)
    by_the_banks_word(the_only("capture"), kim, lee)
    assert live.post(f"/payments/{payment['id']}/capture", key="k").status == 200
    may_go.set()
    wait_for_bank_threads()
    assert open_cases() == []
    assert is_ready(live, payment["order_id"])


@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
def test_a_late_word_that_it_is_done_already_is_a_case_too(
    live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff, verb: str
) -> None:
    payment = live.captured() if verb == "refund" else live.authorized()
    bank.script(f"{verb}s", "drop_after", stored=False)  # type: ignore[arg-type]
    bank.script(f"{verb}s", "drop_before", times=1000)  # type: ignore[arg-type]
    live.post(f"/payments/{payment['id']}/{verb}", key="k")
    bank.clear_script()
    let_pass(1 * MINUTES)
    bank.hold(f"{verb}s")  # type: ignore[arg-type]

    def recover() -> None:
        recover_due(within=timedelta(seconds=0.2))
        connection.close()

    recovery = threading.Thread(target=recover)
    recovery.start()
    bank.wait_until_held()
    let_pass(1 * MINUTES)
    by_the_banks_word(the_only(verb), kim, lee)
    bank.release()
    recovery.join(20)
    assert open_cases() == ["late_reply"]
    assert not is_ready(live, payment["order_id"])
    assert f"The bank has executed the {verb}, but our books say it was not executed" in told(the_only(verb))


def test_a_payment_does_not_expire_while_it_is_open(
    live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
) -> None:
    with held(live, bank, "capture"):
        by_the_banks_word(the_only("capture"), kim, lee)
    let_pass(8 * DAYS, bank)
    assert expire_due(limit=10) == []
    reference = bank.ledger()[-1].id
    live.post(f"/payments/{Payment.objects.get().public_id}/capture")
    recovered(bank)
    resolve.propose(kim, reference_of(the_only("capture"), reference))
    assert Payment.objects.get().state == "CAPTURED"
    assert open_cases() == []


def test_what_is_recorded_as_voided_and_was_captured_is_settled_with_the_bank(
    live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
) -> None:
    with held(live, bank, "capture") as order_id:
        by_the_banks_word(the_only("capture"), kim, lee, Kind.RECORD_VOIDED)
    capture = the_only("capture")
    assert Payment.objects.get().state == "VOIDED"
    assert open_cases() == ["late_reply"]
    # The order may be paid anew, and is not shipped before somebody has looked at the first payment.
    live.authorized(order_id=order_id)
    assert not is_ready(live, order_id)
    settled = Proposal(
        Kind.SETTLE_LATE_REPLY,
        "they gave it back",
        operation=capture,
        evidence=Evidence.BANK_WORD,
        quote="Given back to the card, reference 4711.",
    )
    proposed = resolve.propose(kim, settled)
    assert not proposed.is_done
    assert resolve.approve(lee, proposed.resolution.pk, reason="it is on the statement").is_done
    assert open_cases() == []
    assert is_ready(live, order_id)
    assert violations() == []


def test_what_the_bank_has_called_captured_is_not_recorded_as_voided(
    live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
) -> None:
    payment = live.authorized()
    bank.script("captures", "drop_after", stored=False)
    bank.script("captures", "fail_before", status=400, code="already_captured", times=1000)
    live.post(f"/payments/{payment['id']}/capture", key="k")
    recovered(bank)
    with pytest.raises(CannotResolve, match="so it was not voided"):
        by_the_banks_word(the_only("capture"), kim, lee, Kind.RECORD_VOIDED)


def test_an_answer_after_the_banks_own_trouble_takes_two(
    live: ApiClient, bank: SimulatedBank, kim: Staff
) -> None:
    """A 500 may have been executed, whatever was promised."""
    payment = live.authorized()
    bank.script("captures", "fail_after")
    bank.script("captures", "fail_before", status=400, code="authorization_not_found", times=1000)
    live.post(f"/payments/{payment['id']}/capture", key="k")
    recovered(bank)
    capture = the_only("capture")
    answered = capture.attempts.latest("number")
    proposal = not_executed(capture, Evidence.BANK_REPLY, attempt=answered.number)
    assert resolve.propose(kim, proposal).resolution.state == "PROPOSED"


def test_an_expired_hold_that_was_not_freed_can_be_freed_later(
    live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
) -> None:
    bank.move_clock(seconds=-26 * 3600)
    live.authorized()
    let_pass(8 * DAYS, bank)
    expire_due(limit=10)
    bank.script("voids", "database_fails_midway", times=1000)
    recovered(bank, times=4)
    release = the_only("release")
    on_a_statement = not_executed(release, Evidence.STATEMENT, quote="statement 324")
    assert needs_second(on_a_statement, Hold("ficmart", "", 5000, "USD"))
    by_the_banks_word(release, kim, lee)
    assert "was not freed" in told(release)
    bank.clear_script()
    again = Proposal(Kind.VOID_HOLD, "still held", reference=release.target_reference, bank="ficmart")
    assert resolve.propose(kim, again).is_done
    recover_due(within=timedelta(seconds=5))
    assert bank.balances()["1111"].held == 0
    assert "was freed after all" in told(release)
    assert violations() == []


def test_a_proposal_that_was_refused_is_no_evidence_to_the_audit(
    live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
) -> None:
    payment = live.authorized()
    bank.script("captures", "drop_before", times=1000)
    live.post(f"/payments/{payment['id']}/capture")
    let_pass(1 * MINUTES, bank)
    capture = the_only("capture")
    proposed = resolve.propose(kim, not_executed(capture, Evidence.BANK_WORD, quote="No."))
    resolve.refuse(lee, proposed.resolution.pk, reason="not so")
    with unguarded():
        Operation.objects.filter(pk=capture.pk).update(state="NOT_EXECUTED", finished_at=capture.created_at)
    assert "not_executed_on_evidence" in {one.rule for one in violations()}
