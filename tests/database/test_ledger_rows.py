"""The ledger refuses what does not balance, as the transaction commits; it is written once and kept."""

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from payments.domain.ledger import Account
from payments.models import Event, LedgerEntry, LedgerPosting, Payment
from tests.database.sql import execute, refuses
from tests.support.api_client import ApiClient
from tests.support.at_once import InBackground
from tests.support.factories import PaymentFactory
from tests.support.simulated_bank import SimulatedBank

HOLD = {Account.HOLDS: 5000, Account.HOLDS_CONTRA: -5000}


@pytest.fixture
def event(transactional_db: None) -> Event:
    payment = PaymentFactory()
    return Event.objects.create(payment=payment, type=Event.Type.PAYMENT_CREATED, actor="test")


def entry_of(event: Event, **changes: Any) -> LedgerEntry:
    payment: Payment = Payment.objects.get(pk=event.payment_id)
    same = {"merchant_id": payment.merchant_id, "mode": payment.mode, "bank": payment.bank, "currency": "USD"}
    return LedgerEntry.objects.create(event=event, **{**same, **changes})


def post(entry: LedgerEntry, postings: dict[Any, int]) -> None:
    for account, amount in postings.items():
        LedgerPosting.objects.create(entry=entry, account=account, amount_minor=amount)


def committed(event: Event, postings: dict[Any, int]) -> None:
    with transaction.atomic(durable=True):
        post(entry_of(event), postings)


class TestAnEntry:
    def test_that_balances_is_committed(self, event: Event) -> None:
        committed(event, HOLD)
        assert LedgerPosting.objects.filter(entry=event.pk).count() == 2

    def test_that_does_not_balance_is_not(self, event: Event) -> None:
        for postings in (
            {},
            {Account.HOLDS: 5000},
            {Account.HOLDS: 5000, Account.HOLDS_CONTRA: -4999},
            {Account.HOLDS: 5000, Account.HOLDS_CONTRA: -5000, Account.BANK_RECEIVABLE: 0},
            {Account.HOLDS: 5000, "pockets": -5000},
        ):
            with pytest.raises(DatabaseError, match="is refused: "):
                committed(event, postings)
        assert not LedgerEntry.objects.exists()

    def test_gets_no_posting_afterwards(self, event: Event) -> None:
        committed(event, HOLD)
        with pytest.raises(DatabaseError, match="does not balance"), transaction.atomic(durable=True):
            post(LedgerEntry.objects.get(), {Account.BANK_RECEIVABLE: 1})

    def test_is_of_its_payments_merchant_mode_bank_and_currency(self, event: Event) -> None:
        for change in ({"mode": "test"}, {"bank": "acquirer"}, {"currency": "EUR"}):
            with refuses("its event is of another payment"):
                entry_of(event, **change)

    def test_is_neither_changed_nor_deleted(self, event: Event) -> None:
        committed(event, HOLD)
        for table in ("payments_ledgerentry", "payments_ledgerposting"):
            with refuses(f"DELETE of {table} is refused"):
                execute(f"DELETE FROM {table}")
        with refuses("UPDATE of payments_ledgerposting is refused"):
            execute("UPDATE payments_ledgerposting SET amount_minor = 2 * amount_minor")
        with refuses("UPDATE of payments_ledgerentry is refused"):
            execute("UPDATE payments_ledgerentry SET bank = 'x'")


class TestTheChainOfEvents:
    def test_links_each_event_to_the_one_before(self, live: ApiClient, bank: SimulatedBank) -> None:
        live.captured()
        execute_chain = """
            SELECT digest = event_digest(e, lag(digest) OVER (PARTITION BY payment_id ORDER BY id))
            FROM payments_event e"""
        with connection.cursor() as cursor:
            cursor.execute(execute_chain)
            links = cursor.fetchall()
        assert len(links) == 4
        assert all(holds for (holds,) in links)

    def test_is_none_of_what_has_no_payment(self, transactional_db: None) -> None:
        Event.objects.create(type=Event.Type.GROUP_CREATED, actor="staff:1")
        assert Event.objects.get().digest is None

    def test_is_one_though_two_append_at_once(self, event: Event) -> None:
        def note() -> None:
            with transaction.atomic(durable=True):
                Event.objects.create(payment=event.payment, type=Event.Type.NOTE_ADDED, actor="staff:1")
            connection.close()

        with transaction.atomic(durable=True):
            Event.objects.create(payment=event.payment, type=Event.Type.NOTE_ADDED, actor="staff:2")
            waiting = InBackground(note)
            wait_until_one_waits()
        waiting.answer()
        with connection.cursor() as cursor:
            cursor.execute("""
                SELECT count(*) FILTER (WHERE digest IS DISTINCT FROM made), count(*) FROM (
                    SELECT digest, event_digest(e, lag(digest) OVER (ORDER BY id)) AS made
                    FROM payments_event e
                ) chain""")
            assert cursor.fetchone() == (0, 3)

    def test_gives_a_new_number_to_what_took_its_own_too_early(self, event: Event) -> None:
        late = Event(payment=event.payment, type=Event.Type.NOTE_ADDED, actor="staff:1", pk=event.pk - 1)
        late.save(force_insert=True)
        assert list(Event.objects.order_by("pk").values_list("actor", flat=True)) == ["test", "staff:1"]


def wait_until_one_waits() -> None:
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)")
            if cursor.fetchone() == (True,):
                return
