"""The ledger's balances, and a payment's entries."""

from django.urls import reverse

from payments.domain.ledger import Account
from payments.models import Event, LedgerEntry, LedgerPosting, Payment
from tests.office.pages.conftest import Staff
from tests.support.factories import EventFactory, PaymentFactory
from tests.support.unguarded import unguarded

LEDGER = "/admin/reconciliation/settlement/ledger/"


def post(payment: Payment, event: Event.Type, **postings: int) -> None:
    entry = {name: getattr(payment, name) for name in ("merchant", "mode", "bank", "currency")}
    with unguarded():
        made = LedgerEntry.objects.create(event=EventFactory(payment=payment, type=event), **entry)
        for account, amount in postings.items():
            LedgerPosting.objects.create(entry=made, account=Account(account), amount_minor=amount)


def captured() -> Payment:
    payment = PaymentFactory(captured=True)
    post(payment, Event.Type.PAYMENT_AUTHORIZED, holds=5000, holds_contra=-5000)
    post(
        payment,
        Event.Type.PAYMENT_CAPTURED,
        holds=-5000,
        holds_contra=5000,
        bank_receivable=5000,
        merchant_payable=-5000,
    )
    return payment


class TestTheLedger:
    def test_adds_up_every_account(self, support: Staff) -> None:
        for _ in range(2):
            captured()
        shown = support.read(LEDGER)
        assert "FicMart, ficmart, USD Account Meaning Debit Credit" in shown
        assert "Holds Held at the bank on customers' cards $0.00" in shown
        assert "Bank receivable Captured and not refunded: the bank owes it $100.00" in shown
        assert "Merchant payable Owed to the merchant $100.00" in shown

    def test_keeps_modes_and_merchants_apart(self, support: Staff) -> None:
        payment = captured()
        assert "Nothing is posted" in support.read(LEDGER, mode="test")
        assert "$50.00" in support.read(LEDGER, merchant=str(payment.merchant_id))

    def test_is_on_the_page_of_each_payment(self, support: Staff) -> None:
        shown = support.read(reverse("admin:payments_payment_change", args=[captured().pk]))
        assert "Payment authorized Holds $50.00 Holds contra $50.00" in shown
        assert "Bank receivable $50.00 Merchant payable $50.00" in shown
