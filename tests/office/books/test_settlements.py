"""Settlements, their lines and corrections, and a merchant's fees."""

from django.urls import reverse

from payments.domain.states import Mode, OperationKind
from payments.models import Event, LedgerPosting, Merchant
from reconciliation.models import Correction, FeeTerms, Settlement
from tests.office.pages.conftest import Staff, text_of
from tests.support.book_factories import (
    DAY,
    CorrectionFactory,
    FeeTermsFactory,
    SettlementFactory,
    SettlementLineFactory,
)
from tests.support.factories import MerchantFactory, OperationFactory, PaymentFactory

LIST = "/admin/reconciliation/settlement/"


def page_of(settlement: Settlement) -> str:
    return f"{LIST}{settlement.pk}/change/"


def capture(order_id: str, amount_minor: int = 5000) -> SettlementLineFactory:
    payment = PaymentFactory(captured=True, order_id=order_id, amount_minor=amount_minor)
    return OperationFactory(payment=payment, kind=OperationKind.CAPTURE, succeeded=True)


class TestSettlements:
    def test_are_listed_newest_first_live_ones_by_default(self, support: Staff) -> None:
        SettlementFactory(date=DAY, captured_minor=10_000, fees_minor=320)
        SettlementFactory(date=DAY.replace(day=22), captured_minor=0, refunded_minor=500)
        SettlementFactory(date=DAY, mode=Mode.TEST, bank="sandbox")
        shown = support.read(LIST)
        assert (
            "2026-11-22 FicMart ficmart $0.00 $5.00 $0.00 $0.00 $0.00 -$5.00 "
            "2026-11-21 FicMart ficmart $100.00 $0.00 $3.20 $0.00 $96.80 $0.00"
        ) in shown
        assert "sandbox test" not in shown
        assert "sandbox test" in support.read(LIST, mode="test")

    def test_show_how_the_amount_comes_about_and_each_line(self, support: Staff) -> None:
        settlement = SettlementFactory(
            captured_minor=5000, fees_minor=175, refunded_minor=1000, brought_forward_minor=-200
        )
        one = capture("order-77")
        SettlementLineFactory(settlement=settlement, operation=one, fee_minor=175)
        correction = CorrectionFactory(of_settlement=settlement, reason="Another fee.")
        SettlementLineFactory(settlement=settlement, operation=None, correction=correction)
        shown = support.read(page_of(settlement))
        assert "Captured $50.00 Refunded -$10.00 Fees -$1.75 Brought forward -$2.00 Paid $36.25" in shown
        assert f"capture order-77 {one.bank_reference}" in shown
        assert "$50.00 $1.75" in shown
        assert "correction Another fee." in shown
        assert "$1.00 Another fee. kim" in shown  # corrected since
        assert settlement.public_id in support.read(f"{LIST}{settlement.public_id}/change/")

    def test_have_pages_of_lines(self, support: Staff) -> None:
        settlement = SettlementFactory()
        payment = PaymentFactory(captured=True)
        for _ in range(101):
            refund = OperationFactory(payment=payment, kind=OperationKind.REFUND, succeeded=True)
            SettlementLineFactory(settlement=settlement, operation=refund)
        assert "101 lines Page 1 of 2 Next" in support.read(page_of(settlement))
        assert "101 lines Previous Page 2 of 2" in support.read(page_of(settlement), page="2")

    def test_are_taken_home_as_csv(self, support: Staff) -> None:
        settlement = SettlementFactory(date=DAY)
        SettlementLineFactory(settlement=settlement, operation=capture("order-77"))
        response = support.client.get(f"{LIST}{settlement.pk}/csv/")
        assert f"settlement-2026-11-21-{settlement.public_id}.csv" in response["Content-Disposition"]
        assert "order-77" in response.getvalue().decode()

    def test_are_not_found_by_nonsense(self, support: Staff) -> None:
        assert support.client.get(f"{LIST}x/change/")["Location"] == LIST


class TestCorrections:
    def test_are_posted_after_a_second_look(self, lead: Staff) -> None:
        settlement = SettlementFactory()
        given = {"in_favor": "us", "amount_minor": "12.50", "reason": "Paid twice."}
        asked = lead.client.post(f"{LIST}{settlement.pk}/correct/", given, follow=True)
        shown = text_of(asked.content.decode())
        assert "This settlement Stays as it is." in shown
        assert "Gets $12.50 less with the next settlement" in shown
        assert not Correction.objects.exists()
        done = lead.client.post(f"{LIST}{settlement.pk}/correct/", given | {"confirmed": "yes"}, follow=True)
        assert "-$12.50 is posted." in text_of(done.content.decode())
        correction = Correction.objects.get()
        assert (correction.amount_minor, correction.reason) == (-1250, "Paid twice.")
        posted = LedgerPosting.objects.filter(entry=correction.event_id).values_list(
            "account", "amount_minor"
        )
        assert dict(posted) == {"merchant_payable": 1250, "corrections": -1250}
        logged = Event.objects.get(type=Event.Type.SETTLEMENT_CORRECTED)
        assert (logged.actor, logged.evidence["settlement"]) == ("staff:flo", settlement.public_id)
        assert logged.evidence["user"]

    def test_need_an_amount_and_the_permission(self, lead: Staff, finance: Staff) -> None:
        settlement = SettlementFactory()
        given = {"in_favor": "merchant", "amount_minor": "1250", "reason": "x", "confirmed": "yes"}
        page = lead.client.post(f"{LIST}{settlement.pk}/correct/", given, follow=True).content.decode()
        assert "Write an amount like" in page
        assert "Correct…" not in finance.client.get(page_of(settlement)).content.decode()
        assert finance.client.post(f"{LIST}{settlement.pk}/correct/", given).status_code == 403
        assert not Correction.objects.exists()


class TestFees:
    def test_are_shown_and_changed_from_now_on(self, lead: Staff) -> None:
        merchant = MerchantFactory()
        FeeTermsFactory(basis_points=100, fixed_minor=0, valid_from="2025-01-01T00:00:00Z")
        FeeTermsFactory()
        page = f"/admin/payments/merchant/{merchant.pk}/fees/"
        assert page in lead.client.get("/admin/payments/merchant/").content.decode()
        assert "live USD: 2.90% and $0.30" in lead.read(page)
        given = {"of": "live USD", "basis_points": "250", "fixed_minor": "25", "reason": "New contract."}
        asked = lead.client.post(page, given, follow=True)
        assert "A capture of $100.00 costs $2.75." in text_of(asked.content.decode())
        assert FeeTerms.objects.count() == 2
        lead.client.post(page, given | {"confirmed": "yes"})
        newest = FeeTerms.objects.order_by("-valid_from").first()
        assert newest
        assert (newest.basis_points, newest.fixed_minor) == (250, 25)
        assert Event.objects.get(type=Event.Type.FEES_CHANGED).actor == "staff:flo"
        again = lead.client.post(page, given | {"confirmed": "yes"}, follow=True)
        assert "Nothing changed" in text_of(again.content.decode())

    def test_are_not_for_everybody(self, finance: Staff) -> None:
        MerchantFactory()
        page = reverse("admin:payments_change_fees", args=[Merchant.objects.get().pk])
        assert page not in finance.client.get("/admin/payments/merchant/").content.decode()
        assert finance.client.get(page).status_code == 403
