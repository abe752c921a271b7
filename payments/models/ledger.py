"""The ledger: append-only, double entry. `payments.domain.ledger` says what is posted when.

An entry belongs to the event that caused it and is written in its transaction. The database refuses to commit
an entry that does not balance (`migrations/ledger/guards.sql`).
"""

from django.db import models

from payments.domain.ledger import Account, Position, Posting, position_of, postings_between
from payments.domain.money import Currency
from payments.domain.states import Mode
from payments.models.events import Event
from payments.models.guards import choices
from payments.models.merchants import Merchant
from payments.models.payments import Payment


class LedgerEntry(models.Model):
    """What one event changed, for one merchant, mode, bank and currency. Its time is the event's."""

    event = models.OneToOneField(Event, on_delete=models.PROTECT, primary_key=True, related_name="entry")
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="+", db_index=False)
    mode = models.CharField(max_length=4, choices=choices(Mode))
    bank = models.CharField(max_length=32)
    currency = models.CharField(max_length=3, choices=choices(Currency))

    def __str__(self) -> str:
        return f"entry of {self.event}"


class LedgerPosting(models.Model):
    """One side of an entry, in minor units of its currency: a debit positive, a credit negative."""

    pk = models.CompositePrimaryKey("entry_id", "account")
    entry = models.ForeignKey(LedgerEntry, on_delete=models.PROTECT, related_name="postings", db_index=False)
    account = models.CharField(max_length=32, choices=choices(Account))
    amount_minor = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.account} {self.amount_minor:+}"


def position_in_ledger(payment: Payment) -> Position:
    """What the payment, as its row stands, has in the ledger."""
    return position_of(
        payment.state,
        amount_minor=payment.amount_minor,
        captured_minor=payment.captured_minor,
        refunded_minor=payment.refunded_minor,
    )


def post(event: Event, payment: Payment, before: Position) -> None:
    """Write what an event changed about its payment since `before`, inside the event's transaction."""
    write_entry(
        event,
        postings_between(before, position_in_ledger(payment)),
        merchant_id=payment.merchant_id,
        mode=payment.mode,
        bank=payment.bank,
        currency=payment.currency,
    )


def write_entry(
    event: Event, postings: list[Posting], *, merchant_id: int, mode: str, bank: str, currency: str
) -> None:
    """Write an event's entry inside its transaction; none if there is nothing to post."""
    if not postings:
        return
    entry = LedgerEntry.objects.create(
        event=event, merchant_id=merchant_id, mode=mode, bank=bank, currency=currency
    )
    LedgerPosting.objects.bulk_create(
        LedgerPosting(entry=entry, account=one.account, amount_minor=one.amount_minor) for one in postings
    )
