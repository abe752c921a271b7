"""A proposal that has become outdated, and whoever is quicker than another."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from office.decisions import resolve
from office.decisions.evidence import CannotResolve, Kind, Proposal
from office.decisions.proposals import why_outdated
from office.log.staff import Staff
from payments.domain.states import OperationKind, PaymentState
from payments.engine.conclude import Outdated
from payments.models import (
    Discrepancy,
    Event,
    Operation,
    Payment,
    Resolution,
    outdated_proposals,
    standing_proposals,
)
from payments.models.clock import ClockTimestamp
from payments.models.discrepancies import LATE_REPLY
from payments.usecases.expirations import expire_due
from tests.office.decisions.cases import lost_capture, recording
from tests.support.api_client import ApiClient
from tests.support.factories import OperationFactory, PaymentFactory
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass
from tests.support.unguarded import unguarded

pytestmark = pytest.mark.usefixtures("brief")


class TestAProposalIsOutdatedWithWhatItIsAbout:
    @pytest.mark.parametrize("how", ["the merchant refunds", "the merchant is refused"])
    def test_an_instruction_when_the_payments_state_changes(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, how: str
    ) -> None:
        payment = Payment.objects.get(order_id=live.captured(amount=50_001)["order_id"])
        proposal = Proposal(Kind.REFUND, "returned", payment=payment)
        proposed = resolve.propose(kim, proposal).resolution
        if how == "the merchant is refused":
            bank.stop()
        live.post(f"/payments/{payment.public_id}/refund", key="the-refund")
        if how == "the merchant is refused":
            bank.restart()
        outdated = [proposed] if how == "the merchant refunds" else []
        assert list(outdated_proposals()) == outdated
        assert list(standing_proposals()) == ([] if outdated else [proposed])

    def test_an_instruction_when_the_hold_runs_out(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        payment = Payment.objects.get(order_id=live.authorized(amount=50_001)["order_id"])
        proposed = resolve.propose(kim, Proposal(Kind.CAPTURE, "they called", payment=payment)).resolution
        let_pass(timedelta(days=7, minutes=1), bank)
        assert expire_due(limit=10)
        assert list(outdated_proposals()) == [proposed]
        with pytest.raises(CannotResolve, match="This proposal is outdated"):
            resolve.refuse(kim, proposed.pk, reason="taken back")
        assert Resolution.objects.get().state == "OUTDATED"
        assert Event.objects.get(type="resolution.outdated").evidence["because"] == "The payment is EXPIRED."

    def test_and_ends_when_something_else_is_proposed_for_the_same(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        payment = Payment.objects.get(order_id=live.authorized(amount=50_001)["order_id"])
        proposed = resolve.propose(kim, Proposal(Kind.CAPTURE, "they called", payment=payment)).resolution
        live.post(f"/payments/{payment.public_id}/capture")
        payment = Payment.objects.get()
        refund = resolve.propose(lee, Proposal(Kind.REFUND, "returned", payment=payment)).resolution
        states = Resolution.objects.order_by("pk").values_list("pk", "state")
        assert list(states) == [(proposed.pk, "OUTDATED"), (refund.pk, "PROPOSED")]
        assert list(standing_proposals()) == [refund]
        assert Event.objects.get(type="resolution.outdated").actor == "staff:lee"

    def test_of_whatever_kind(self, kim: Staff) -> None:
        """Each kind stands until what it is about has changed, and a count of them is one statement."""

        def proposed(kind: Kind, operation: Operation | None = None, **about: Any) -> Resolution:
            known = {"bank": "ficmart", "amount_minor": 5000, "currency": "USD", "reason": "x"}
            return Resolution.objects.create(
                kind=kind, operation=operation, proposed_by_id=kim.user_id, **(known | about)
            )

        def under_review(kind: OperationKind, state: PaymentState) -> Operation:
            return OperationFactory(payment=PaymentFactory(state=state), kind=kind, needs_review=True)

        capture = under_review(OperationKind.CAPTURE, PaymentState.AUTHORIZED)
        void = under_review(OperationKind.VOID, PaymentState.AUTHORIZED)
        refund = under_review(OperationKind.REFUND, PaymentState.CAPTURED)
        late = OperationFactory(payment=PaymentFactory(captured=True), kind=OperationKind.REFUND)
        with unguarded():
            Operation.objects.filter(pk=late.pk).update(state="NOT_EXECUTED", finished_at=ClockTimestamp())
        case = Discrepancy.objects.create(kind=LATE_REPLY, operation=late, payment=late.payment)
        held, taken = PaymentFactory(authorized=True), PaymentFactory(captured=True)
        all_of_them = [
            proposed(Kind.RECORD_REFERENCE, capture, payment=capture.payment, reference="cap_1"),
            proposed(Kind.RECORD_VOIDED, void, payment=void.payment),
            proposed(Kind.RECORD_NOT_EXECUTED, refund, payment=refund.payment),
            proposed(Kind.SETTLE_LATE_REPLY, late, payment=late.payment),
            proposed(Kind.VOID_HOLD, reference="auth_stray"),
            proposed(Kind.CAPTURE, payment=held),
            proposed(Kind.REFUND, payment=taken),
        ]
        assert set(standing_proposals()) == set(all_of_them)
        with unguarded():
            for one in (void, refund):
                Operation.objects.filter(pk=one.pk).update(state="NOT_EXECUTED", finished_at=ClockTimestamp())
            # Without a reference there is something to record still.
            Operation.objects.filter(pk=capture.pk).update(state="SUCCEEDED", finished_at=ClockTimestamp())
            Discrepancy.objects.filter(pk=case.pk).update(closed_at=ClockTimestamp())
            hold = {"target_reference": "auth_stray", "bank": "ficmart"}
            release = OperationFactory(payment=None, kind=OperationKind.RELEASE, **hold)
            Payment.objects.filter(pk=held.pk).update(state="VOIDED", voided_at=ClockTimestamp())
            Payment.objects.filter(pk=taken.pk).update(
                state="REFUNDED", refunded_at=ClockTimestamp(), refunded_minor=F("captured_minor")
            )
        assert list(standing_proposals()) == all_of_them[:1]
        assert list(outdated_proposals().order_by("pk")) == all_of_them[1:]
        assert [why_outdated(one) for one in outdated_proposals().order_by("pk")] == [
            "The void is already NOT_EXECUTED.",
            "The refund is already NOT_EXECUTED.",
            "The late reply has been settled.",
            "auth_stray is being released.",
            "The payment is VOIDED.",
            "The payment is REFUNDED.",
        ]
        with unguarded():
            Operation.objects.filter(pk=capture.pk).update(bank_reference="cap_2")
            Operation.objects.filter(pk=release.pk).update(state="NOT_EXECUTED", finished_at=ClockTimestamp())
        with CaptureQueriesContext(connection) as statements:
            assert standing_proposals().count() == 1  # the hold was not freed
        assert len(statements) == 1

    @pytest.mark.parametrize("what", ["an instruction", "what is recorded"])
    def test_whoever_approves_locks_what_it_is_about_first(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff, what: str
    ) -> None:
        """Whoever proposes has that locked, and may wait for the proposal: or they meet in a deadlock."""
        if what == "an instruction":
            payment = Payment.objects.get(order_id=live.captured(amount=50_001)["order_id"])
            proposal = Proposal(Kind.REFUND, "returned", payment=payment)
        else:
            operation = lost_capture(live, bank, amount=50_001)
            payment = operation.claimed_payment
            proposal = recording(operation, bank.ledger()[-1].id)
        proposed = resolve.propose(kim, proposal).resolution

        def approve() -> str:
            try:
                return resolve.approve(lee, proposed.pk, reason="right").resolution.state
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                Payment.objects.select_for_update(no_key=True).get(pk=payment.pk)
                approving = pool.submit(approve)
                while not _somebody_waits_for_a_lock():
                    assert not approving.done()
                Resolution.objects.select_for_update(nowait=True).get(pk=proposed.pk)
            assert approving.result() == "APPLIED"

    def test_proposals_and_outcomes_at_the_same_moment_leave_none_behind(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        """Whoever comes second finds what the first has done: no deadlock, and nothing seems to wait."""
        for _ in range(5):
            payment = Payment.objects.get(order_id=live.captured(amount=50_001)["order_id"])

            def propose(payment: Payment = payment) -> str:
                try:
                    resolve.propose(kim, Proposal(Kind.REFUND, "returned", payment=payment))
                except (CannotResolve, Outdated) as no:
                    return str(no)
                finally:
                    connection.close()
                return "proposed"

            def refund(payment: Payment = payment) -> int:
                try:
                    return live.post(f"/payments/{payment.public_id}/refund").status
                finally:
                    connection.close()

            with ThreadPoolExecutor(2) as pool:
                said, status = pool.submit(propose), pool.submit(refund)
            assert status.result() == 200, said.result()
            assert not standing_proposals().filter(payment=payment).exists()

    def test_approvals_and_outcomes_at_the_same_moment_refund_once(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        for _ in range(5):
            payment = Payment.objects.get(order_id=live.captured(amount=50_001)["order_id"])
            proposed = resolve.propose(kim, Proposal(Kind.REFUND, "returned", payment=payment)).resolution

            def approve(proposed: Resolution = proposed) -> str:
                try:
                    return resolve.approve(lee, proposed.pk, reason="right").resolution.state
                except (CannotResolve, Outdated) as no:
                    return str(no)
                finally:
                    connection.close()

            def refund(payment: Payment = payment) -> int:
                try:
                    return live.post(f"/payments/{payment.public_id}/refund").status
                finally:
                    connection.close()

            with ThreadPoolExecutor(2) as pool:
                said, status = pool.submit(approve), pool.submit(refund)
            assert (said.result() == "APPLIED") == (status.result() == 409), said.result()
            assert Operation.objects.filter(payment=payment, kind="refund").count() == 1
            assert not standing_proposals().filter(payment=payment).exists()


def _somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])
