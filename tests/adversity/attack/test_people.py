"""People who mean well, or not: what they decide in the back office may harm nobody."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from office.decisions import asking, kinds, resolve
from office.decisions.denials import denials
from office.decisions.evidence import CannotResolve, Evidence, Kind, Proposal
from office.log.staff import Staff
from payments.engine import leases
from payments.engine.conclude import Outdated
from payments.models import Attempt, Discrepancy, Event, Operation, Payment, Resolution
from payments.usecases.recovery import recover_due
from reconciliation.services.audit import violations
from tests.adversity.attack.people import by_the_banks_word, recovered, the_only, told
from tests.adversity.doubts import HOURS, MINUTES
from tests.conftest import wait_for_bank_threads
from tests.office.decisions.cases import contradicted, lost_capture, not_executed, recording
from tests.support.api_client import ApiClient, order
from tests.support.bank_books import disagreements
from tests.support.leases import WITHIN
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

pytestmark = pytest.mark.usefixtures("brief")


class TestADenialThatIsNone:
    def test_what_the_bank_has_called_done_is_never_recorded_as_not_executed(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        """It did it in silence, said then that it knows nothing of it, and at last that it is done."""
        payment = live.authorized()
        bank.script("captures", "drop_after", stored=False)
        bank.script("captures", "fail_before", status=400, code="authorization_not_found", times=1000)
        live.post(f"/payments/{payment['id']}/capture")
        recovered(bank)
        capture = the_only("capture")
        assert denials(capture)
        bank.clear_script()
        asking.ask_again(kim, capture.pk, reason="once more")
        capture = the_only("capture")
        assert denials(capture) == []
        with pytest.raises(CannotResolve, match=r"400 authorization_already_used\. Record the reference"):
            by_the_banks_word(capture, kim, lee)
        assert "The bank says it is captured" in told(capture)
        assert [one.kind for one in Discrepancy.objects.filter(closed_at=None)] == ["capture_id_unknown"]
        reference = bank.ledger()[-1].id
        assert resolve.propose(kim, recording(capture, reference)).is_done
        assert violations() == []
        assert disagreements(bank, settled=True) == []

    def test_one_word_of_a_database_that_fails_midway_is_no_evidence(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        payment = live.authorized()
        bank.script("captures", "drop_after", stored=False)
        bank.script("captures", "drop_before", times=1000)
        live.post(f"/payments/{payment['id']}/capture")
        bank.clear_script()
        bank.script("captures", "database_fails_midway")
        let_pass(5 * MINUTES, bank)
        recover_due(within=WITHIN)
        capture = the_only("capture")
        assert capture.attempts.filter(verdict="contradiction").count() == 1
        assert denials(capture) == []

    def test_after_a_silence_one_person_is_not_enough(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        payment = live.authorized()
        bank.script("captures", "drop_before")
        bank.script("captures", "fail_before", status=400, code="authorization_not_found", times=1000)
        live.post(f"/payments/{payment['id']}/capture")
        recovered(bank)
        capture = the_only("capture")
        proposal = not_executed(capture, Evidence.BANK_REPLY, attempt=denials(capture)[0].number)
        assert resolve.propose(kim, proposal).resolution.state == "PROPOSED"


class TestAVoidThatTheBankHasDone:
    def test_is_recorded_as_voided_and_nothing_is_shipped(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        payment = live.authorized()
        bank.script("captures", "drop_before", times=1000)
        live.post(f"/payments/{payment['id']}/capture")
        let_pass(1 * MINUTES, bank)
        by_the_banks_word(the_only("capture"), kim, lee)  # and it is true
        bank.clear_script()
        bank.script("voids", "drop_after", stored=False)
        bank.script("voids", "drop_before", times=1000)
        live.post(f"/payments/{payment['id']}/void", key="v")
        bank.clear_script()
        recovered(bank)
        void = the_only("void")
        assert void.state == "NEEDS_REVIEW"
        assert by_the_banks_word(void, kim, lee, Kind.RECORD_VOIDED).is_done
        assert live.receipt(payment["id"])["state"] == "VOIDED"
        assert live.post(f"/payments/{payment['id']}/void", key="v").status == 200
        assert not live.get(f"/orders/{payment['order_id']}").json["ready_to_ship"]
        assert violations() == []

    def test_a_capture_whose_hold_somebody_voided_makes_the_payment_voided(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        capture = lost_capture(live, bank)
        with pytest.raises(CannotResolve, match="most likely by our capture"):
            by_the_banks_word(capture, kim, lee, Kind.RECORD_VOIDED)
        proposal = Proposal(
            Kind.RECORD_VOIDED,
            "seen there",
            operation=capture,
            seen_epoch=capture.lease_epoch,
            evidence=Evidence.STATEMENT,
            quote="statement 324, line 7",
        )
        proposed = resolve.propose(kim, proposal)
        assert not proposed.is_done
        assert resolve.approve(lee, proposed.resolution.pk, reason="I see it, too").is_done
        payment = Payment.objects.get()
        assert (payment.state, the_only("capture").state) == ("VOIDED", "NOT_EXECUTED")
        assert Event.objects.get(type="payment.voided").evidence["proposed_by"] == "kim"
        assert live.post(f"/payments/{payment.public_id}/capture", key="the-capture").status == 409
        assert violations() == []

    @pytest.mark.parametrize("kind", ["authorize", "refund"])
    def test_no_other_operation_ends_so(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff, kind: str
    ) -> None:
        path = f"/payments/{live.captured()['id']}/refund" if kind == "refund" else "/payments"
        bank.script("refunds", "drop_before", times=1000)
        bank.script("authorizations", "drop_before", times=1000)
        live.post(path, None if kind == "refund" else order())
        let_pass(1 * MINUTES, bank)
        with pytest.raises(CannotResolve, match="it has no hold to void"):
            by_the_banks_word(the_only(kind), kim, lee, Kind.RECORD_VOIDED)


@pytest.mark.usefixtures("long_calls")
class TestAReplyThatComesLate:
    def test_before_people_conclude_keeps_them_from_it(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff, settings: Any
    ) -> None:
        payment = live.authorized()
        bank.hold("captures")
        live.post(f"/payments/{payment['id']}/capture")
        bank.wait_until_held()
        let_pass(1 * MINUTES)
        assert leases.take_for_recovery(the_only("capture").pk)
        bank.release()
        wait_for_bank_threads()
        let_pass(1 * MINUTES)
        capture = the_only("capture")
        with pytest.raises(Outdated, match="late reply"):
            by_the_banks_word(capture, kim, lee)
        said = asking.ask_again(lee, capture.pk, reason="to take it")
        assert said.startswith("The bank was not asked: FicPay applied a late reply that it already had")
        assert live.receipt(payment["id"])["state"] == "CAPTURED"
        assert disagreements(bank, settled=True) == []

    def test_after_people_have_concluded_is_a_case_for_people(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        payment = live.authorized()
        bank.hold("captures")
        live.post(f"/payments/{payment['id']}/capture")
        bank.wait_until_held()
        let_pass(1 * MINUTES)
        capture = the_only("capture")
        by_the_banks_word(capture, kim, lee)
        assert live.get(f"/orders/{payment['order_id']}").json["ready_to_ship"]
        bank.release()
        wait_for_bank_threads()
        assert Attempt.objects.get(operation=capture).is_late
        assert Discrepancy.objects.get(closed_at=None).kind == "late_reply"
        assert Event.objects.filter(type="late_reply.found").count() == 1
        assert "The bank has executed the capture, but our books say it was not executed" in told(capture)
        assert not live.get(f"/orders/{payment['order_id']}").json["ready_to_ship"]
        # As the review queue says: once more, and the bank's reference is recorded.
        reference = bank.ledger()[-1].id
        live.post(f"/payments/{payment['id']}/capture")
        recovered(bank)
        again = the_only("capture")
        assert (again.pk != capture.pk, again.state) == (True, "NEEDS_REVIEW")
        resolve.propose(kim, recording(again, reference))
        assert live.receipt(payment["id"])["state"] == "CAPTURED"
        assert not Discrepancy.objects.filter(closed_at=None).exists()
        assert violations() == []
        assert disagreements(bank, settled=True) == []

    def test_that_names_a_hold_keeps_it_from_being_voided_as_a_stray(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        bank.move_clock(seconds=-26 * 3600)
        bank.script("authorizations", "hang_before")
        body = order()
        live.post("/payments", body)
        bank.wait_until_held()
        let_pass(24 * HOURS)
        recover_due(within=WITHIN)
        bank.release()
        wait_for_bank_threads()
        let_pass(1 * HOURS)
        recover_due(within=WITHIN)
        hold = bank.ledger()[0].id
        if the_only("authorize").state != "SUCCEEDED":
            with pytest.raises(CannotResolve, match="to an unfinished operation of ours"):
                resolve.propose(kim, Proposal(Kind.VOID_HOLD, "seen", reference=hold, bank="ficmart"))
            asking.ask_again(kim, the_only("authorize").pk, reason="to take it")
        assert the_only("authorize").state == "SUCCEEDED"
        assert violations() == []


class TestAHoldThatIsNotFreed:
    def test_takes_two_people_and_is_not_forgotten(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        bank.move_clock(seconds=-26 * 3600)
        bank.script("authorizations", "drop_after")
        bank.script("authorizations", "drop_before", times=1000)
        live.post("/payments", order())
        bank.clear_script()
        let_pass(5 * MINUTES, bank)
        by_the_banks_word(the_only("authorize"), kim, lee)
        let_pass(1 * HOURS, bank)
        bank.script("voids", "database_fails_midway", times=1000)
        recovered(bank, times=4)
        release = the_only("release")
        assert release.state == "NEEDS_REVIEW"
        assert "The bank contradicts our books" in told(release)
        proposal = not_executed(release, Evidence.BANK_REPLY, attempt=denials(release)[0].number)
        proposed = resolve.propose(kim, proposal)
        assert proposed.resolution.state == "PROPOSED"
        resolve.approve(lee, proposed.resolution.pk, reason="it seems so")
        assert f"The hold {release.target_reference} was not freed" in told(release)
        bank.clear_script()
        stray = Proposal(
            Kind.VOID_HOLD, "on the statement", reference=release.target_reference, bank="ficmart"
        )
        assert resolve.propose(kim, stray).is_done
        recover_due(within=WITHIN)
        assert bank.ledger()[-1].type == "VOID"
        assert bank.balances()["1111"].held == 0

    def test_two_who_void_one_stray_hold_free_it_once(
        self,
        live: ApiClient,
        bank: SimulatedBank,
        kim: Staff,
        lee: Staff,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        bank.move_clock(seconds=-26 * 3600)
        bank.script("authorizations", "drop_after", stored=False)
        live.authorized()
        stray = bank.ledger()[0].id
        both_have_looked = threading.Barrier(2, timeout=10)
        verify: Callable[..., Any] = kinds.verify

        def together(proposal: Proposal) -> Any:
            hold = verify(proposal)
            both_have_looked.wait()
            return hold

        monkeypatch.setattr(kinds, "verify", together)
        outcomes: list[str] = []

        def work(staff: Staff) -> None:
            try:
                proposal = Proposal(Kind.VOID_HOLD, "on the statement", reference=stray, bank="ficmart")
                outcomes.append(resolve.propose(staff, proposal).resolution.state)
            except CannotResolve as no:
                outcomes.append(str(no))
            finally:
                connection.close()

        threads = [threading.Thread(target=work, args=(staff,)) for staff in (kim, lee)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(one == "APPLIED" for one in outcomes) == 1
        assert sum("already being released" in one for one in outcomes) == 1
        assert Operation.objects.filter(kind="release").count() == 1
        assert Resolution.objects.count() == 1


def test_what_staff_write_for_the_log_is_not_shown_to_the_merchant(
    live: ApiClient, bank: SimulatedBank, kim: Staff
) -> None:
    receipt = live.captured()
    payment = Payment.objects.get()
    resolve.propose(kim, Proposal(Kind.REFUND, "under fraud watch, do not tell", payment=payment))
    assert b"fraud watch" not in live.get(f"/payments/{receipt['id']}/events").body
    assert Event.objects.get(type="resolution.applied").evidence["reason"] == "under fraud watch, do not tell"


def test_an_impossible_instruction_is_not_even_proposed(
    live: ApiClient, bank: SimulatedBank, kim: Staff
) -> None:
    live.authorized(amount=80_000)
    with pytest.raises(CannotResolve, match="AUTHORIZED cannot be refunded"):
        resolve.propose(kim, Proposal(Kind.REFUND, "x", payment=Payment.objects.get()))
    assert not Resolution.objects.exists()


def test_a_contradiction_that_goes_on_stays_one_case(
    live: ApiClient, bank: SimulatedBank, kim: Staff
) -> None:
    capture = contradicted(live, bank)
    asking.ask_again(kim, capture.pk, reason="again")
    assert Discrepancy.objects.count() == 1
    assert Event.objects.filter(type="operation.needs_review").count() == 1
