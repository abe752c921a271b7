"""What the second person is shown, who waits for whom, and what whoever proposed is told."""

import pytest
from django.urls import reverse

from payments.domain.states import OperationKind
from payments.models import Event, Operation, Payment, Resolution
from tests.office.decisions.cases import lost_capture
from tests.office.decisions.members import QUEUE, Member
from tests.office.pages.conftest import text_of
from tests.support.api_client import ApiClient
from tests.support.factories import OperationFactory, PaymentFactory
from tests.support.simulated_bank import SimulatedBank

PAGE, APPROVE = "admin:payments_payment_change", "admin:payments_approve"


@pytest.fixture
def kim(transactional_db: None) -> Member:
    return Member("kim", "resolve_operation", "instruct_payment")


@pytest.fixture
def lee(transactional_db: None) -> Member:
    return Member("lee", "resolve_operation", "instruct_payment", "approve_resolution")


@pytest.fixture
def void(transactional_db: None) -> Operation:
    """Under review, and nobody is asking about it."""
    payment = PaymentFactory(authorized=True, order_id="order-7")
    void = OperationFactory(payment=payment, kind=OperationKind.VOID, needs_review=True)
    Operation.objects.filter(pk=void.pk).update(lease_expires_at=payment.created_at)
    return void


def propose_voided(kim: Member, void: Operation) -> Resolution:
    kim.confirm(
        "admin:payments_record_voided",
        void.pk,
        seen=f"{void.lease_epoch}.0",
        evidence="statement",
        quote="statement 324,\nline 7",
        reason="It stands there.\nI have looked twice.",
    )
    return Resolution.objects.get()


BADGE = "bg-orange-100 text-orange-700"  # the menu's


class TestASecondPerson:
    def test_is_shown_the_evidence_that_was_given_and_not_its_opposite(
        self, void: Operation, kim: Member, lee: Member
    ) -> None:
        proposed = propose_voided(kim, void)
        for page in (
            lee.read(APPROVE, proposed.pk),
            lee.read(QUEUE),
            lee.read(PAGE, void.payment_id),
        ):
            assert "Evidence A statement that shows it" in page
            assert "does not show it" not in page
            assert "statement 324, line 7" in page
            assert "It stands there. I have looked twice." in page
            assert "Proposed by kim at 20" in page

    def test_decides_on_the_payments_page(self, void: Operation, kim: Member, lee: Member) -> None:
        proposed = propose_voided(kim, void)
        shown = lee.client.get(reverse(PAGE, args=[void.payment_id])).content.decode()
        assert reverse(APPROVE, args=[proposed.pk]) in shown
        assert "Approve Reject" in text_of(shown)
        own = kim.read(PAGE, void.payment_id)
        assert "Approve" not in own
        assert "Withdraw You proposed this. Another person must approve it." in own
        answer = lee.decide(APPROVE, proposed.pk, seen=f"{void.lease_epoch}.0", reason="I see it, too")
        assert "Record that the hold was voided: done." in answer
        assert "The hold was voided; no money was taken." in answer  # on the payment's page

    def test_is_counted_for_on_the_dashboard_and_in_the_menu(
        self, void: Operation, kim: Member, lee: Member
    ) -> None:
        assert "Waiting for approval clear 0" in lee.read("admin:index")
        assert BADGE not in lee.client.get(reverse(QUEUE)).content.decode()  # no coloured blank
        propose_voided(kim, void)
        assert "Waiting for approval waiting 1" in lee.read("admin:index")
        queue = lee.client.get(reverse(QUEUE)).content.decode()
        assert "Review queue 1" in text_of(queue)
        assert BADGE in queue
        assert "Waiting for a second person (1)" in text_of(queue)

    def test_is_not_asked_twice_about_one_thing(self, void: Operation, kim: Member, lee: Member) -> None:
        """A rival proposal is refused before its form is filled in, and not offered."""
        propose_voided(kim, void)
        payment = lee.client.get(reverse(PAGE, args=[void.payment_id])).content.decode()
        queue = lee.client.get(reverse(QUEUE)).content.decode()
        for page in ("record_not_executed", "record_captured", "record_voided"):
            address = reverse(f"admin:payments_{page}", args=[void.pk])
            told = lee.client.get(address, follow=True)
            assert told.redirect_chain, page
            assert "kim has already proposed “Record that the hold was voided”" in text_of(
                told.content.decode()
            )
            assert address not in payment + queue
        assert "You have already proposed" in kim.client.get(address, follow=True).content.decode()

    def test_is_not_asked_twice_for_one_instruction(
        self, live: ApiClient, bank: SimulatedBank, brief: None, kim: Member, lee: Member
    ) -> None:
        payment = Payment.objects.get(order_id=live.captured(amount=70_000)["order_id"])
        kim.confirm("admin:payments_instruct", payment.pk, "refund", reason="returned")
        address = reverse("admin:payments_instruct", args=[payment.pk, "refund"])
        told = lee.client.get(address, follow=True)
        assert "kim has already proposed “Refund”. Decide that first." in told.content.decode()
        assert address not in lee.client.get(reverse(PAGE, args=[payment.pk])).content.decode()


class TestWhoeverProposed:
    @pytest.mark.parametrize("decision", ["approve", "refuse"])
    def test_is_told_what_became_of_it(
        self, void: Operation, kim: Member, lee: Member, decision: str
    ) -> None:
        proposed = propose_voided(kim, void)
        assert "Your proposals" not in kim.read(QUEUE)
        lee.confirm(
            f"admin:payments_{decision}",
            proposed.pk,
            seen=f"{void.lease_epoch}.0",
            reason="line 7 is another order's",
        )
        for page in (QUEUE, "admin:index"):
            told = kim.read(page)
            word = {"approve": "approved", "refuse": "rejected"}[decision]
            assert f"{word} Record that the hold was voided, order-7 , by lee: line 7 is another" in told
            assert "Your proposals" not in lee.read(page)

    def test_is_told_that_it_was_settled_otherwise(
        self, live: ApiClient, bank: SimulatedBank, brief: None, kim: Member, lee: Member
    ) -> None:
        payment = Payment.objects.get(order_id=live.captured(amount=70_000)["order_id"])
        kim.confirm("admin:payments_instruct", payment.pk, "refund", reason="returned")
        live.post(f"/payments/{payment.public_id}/refund")
        proposed, page = Resolution.objects.get(), reverse(PAGE, args=[payment.pk])
        assert "outdated Refund" in kim.read(QUEUE)
        assert "The payment is REFUNDED." in kim.read(QUEUE)
        assert "Waiting for a second person" not in lee.read(QUEUE)
        assert "Waiting for approval clear 0" in lee.read("admin:index")
        told = text_of(lee.client.get(page).content.decode())
        assert "Outdated proposal: Refund" in told
        assert "The payment is REFUNDED. It can no longer be approved." in told
        assert "waits for a second person" not in told
        # Nothing is decided by GET; whoever tries to decide ends it.
        for address in (APPROVE, "admin:payments_refuse"):
            shown = lee.client.get(reverse(address, args=[proposed.pk]), follow=True)
            assert shown.redirect_chain[-1][0] == page
            assert "This proposal is outdated" in shown.content.decode()
        assert Resolution.objects.get().state == "PROPOSED"
        given = {"reason": "right", "confirmed": "yes", "seen": ""}
        lee.client.post(reverse(APPROVE, args=[proposed.pk]), given, follow=True)
        assert Resolution.objects.get().state == "OUTDATED"
        assert "outdated Refund" in kim.read(QUEUE)
        assert "Outdated proposal" not in lee.client.get(page).content.decode()


class TestSomebodyElsesCase:
    def test_is_seen_on_the_payments_page_and_in_the_form(
        self, void: Operation, kim: Member, lee: Member
    ) -> None:
        assert "It has no owner. Take" in kim.read(PAGE, void.payment_id)
        take = reverse("admin:payments_take", args=[void.pk])
        taken = lee.client.post(take, {"from_payment": "yes"}, follow=True)
        assert taken.redirect_chain[-1][0] == reverse(PAGE, args=[void.payment_id])
        assert "You own it. Give back" in text_of(taken.content.decode())
        assert "lee owns it." in kim.read(PAGE, void.payment_id)
        assert "Owner lee" in kim.read("admin:payments_record_voided", void.pk)

    def test_asks_first_before_another_acts_on_it(self, void: Operation, kim: Member, lee: Member) -> None:
        lee.client.post(reverse("admin:payments_take", args=[void.pk]))
        address = reverse("admin:payments_record_voided", args=[void.pk])
        given = {
            "seen": f"{void.lease_epoch}.0",
            "evidence": "statement",
            "quote": "324",
            "reason": "it is there",
        }
        for confirmed in ({}, {"confirmed": "yes"}):
            asked = kim.client.post(address, given | confirmed, follow=True).content.decode()
            assert "lee owns this case. Check this box to act on it." in text_of(asked)
            assert "it is there" in asked  # nothing typed is lost
        assert not Resolution.objects.exists()
        assert "proposed" in kim.decide("admin:payments_record_voided", void.pk, **given, anothers_case="on")

    def test_is_ones_own_without_a_question(
        self, live: ApiClient, bank: SimulatedBank, brief: None, kim: Member
    ) -> None:
        operation = lost_capture(live, bank)
        kim.client.post(reverse("admin:payments_take", args=[operation.pk]))
        kim.confirm("admin:payments_ask_again", operation.pk, reason="once more")
        assert Event.objects.filter(type="operation.asked_again").count() == 1
