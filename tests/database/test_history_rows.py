"""Events stay as they were written, no table of the history can be emptied, and keys are claimed once."""

from datetime import UTC, datetime

import pytest
from django.db import connection

from payments.domain.states import Mode
from payments.models import ApiKey, Event
from tests.database.sql import execute, one_by_one, refuses, update
from tests.support.factories import (
    ApiKeyFactory,
    EventFactory,
    IdempotencyKeyFactory,
    MerchantFactory,
    PaymentFactory,
)
from tests.support.unguarded import unguarded

pytestmark = pytest.mark.django_db

KEPT = [
    *("payment", "operation", "attempt", "event", "discrepancy", "resolution", "merchant", "apikey"),
    *("idempotencykey", "apirequest"),
]


class TestEvents:
    def test_cannot_be_changed(self) -> None:
        for field in one_by_one([field.column for field in Event._meta.concrete_fields]):
            event = EventFactory(type=Event.Type.PAYMENT_CREATED)
            with refuses("UPDATE of payments_event is refused"):
                execute(f"UPDATE payments_event SET {field} = {field} WHERE id = %s", event.pk)

    def test_cannot_be_changed_by_the_orm(self) -> None:
        event = EventFactory(type=Event.Type.PAYMENT_CREATED)
        event.actor = "somebody else"
        with refuses("UPDATE of payments_event is refused"):
            event.save()

    def test_cannot_be_deleted(self) -> None:
        event = EventFactory(type=Event.Type.PAYMENT_CREATED)
        with refuses("DELETE of payments_event is refused"):
            execute("DELETE FROM payments_event WHERE id = %s", event.pk)

    def test_are_dated_by_the_databases_clock_and_not_by_their_transaction(self) -> None:
        payment = PaymentFactory()
        first = EventFactory(payment=payment, type=Event.Type.PAYMENT_CREATED)
        second = EventFactory(payment=payment, type=Event.Type.PAYMENT_AUTHORIZED)
        assert Event.objects.get(pk=first.pk).at < Event.objects.get(pk=second.pk).at


class TestTruncate:
    @pytest.fixture
    def _as_in_production(self) -> None:
        """The tests' own database has these triggers switched off, to be emptied between tests."""
        with connection.cursor() as cursor:
            for table in KEPT:
                cursor.execute(f"ALTER TABLE payments_{table} ENABLE TRIGGER guard_truncate")

    @pytest.mark.usefixtures("_as_in_production")
    def test_empties_no_table_of_the_history(self) -> None:
        for table in one_by_one(KEPT):
            with refuses("TRUNCATE of payments_[a-z]+ is refused"):
                execute(f"TRUNCATE payments_{table} CASCADE")


class TestIdempotencyKeys:
    def test_are_claimed_once_by_each_merchant_in_each_mode(self) -> None:
        IdempotencyKeyFactory(key="key-1")
        assert IdempotencyKeyFactory(key="key-1", mode=Mode.TEST).pk
        assert IdempotencyKeyFactory(key="key-1", merchant=MerchantFactory(slug="another")).pk
        assert IdempotencyKeyFactory(key="KEY-1").pk
        with refuses("idempotency_key_claimed_once"):
            IdempotencyKeyFactory(key="key-1")

    def test_have_a_mode_that_is_known(self) -> None:
        with refuses("its mode is unknown"):
            IdempotencyKeyFactory(mode="prod")


class TestMerchants:
    def test_cannot_be_deleted(self) -> None:
        with refuses("DELETE of payments_merchant is refused"):
            execute("DELETE FROM payments_merchant WHERE id = %s", MerchantFactory().pk)

    def test_keep_what_bank_keys_are_derived_from(self) -> None:
        for change in one_by_one(["id = id + 1", "slug = 'x'", "created_at = now() - interval '1 day'"]):
            merchant = MerchantFactory()
            with refuses("its id, slug and date stay"):
                execute(f"UPDATE payments_merchant SET {change} WHERE id = %s", merchant.pk)
            assert update(merchant, name="Another", is_active=False) == 1


class TestApiKeys:
    def test_are_random_and_say_their_mode(self) -> None:
        keys = [ApiKey.generate(mode) for mode in (Mode.LIVE, Mode.TEST) for _ in range(50)]
        assert len(set(keys)) == 100
        assert all(key.startswith("sk_live_") for key in keys[:50])
        assert all(key.startswith("sk_test_") for key in keys[50:])

    def test_are_not_stored(self) -> None:
        plain = "sk_live_of_the_test"
        key = ApiKeyFactory(plain=plain)
        assert plain not in str(ApiKey.objects.filter(pk=key.pk).values().get())
        assert ApiKey.objects.get(digest=ApiKey.digest_of(plain)) == key

    def test_have_a_mode_that_is_known(self) -> None:
        with refuses("api_key_mode_known"), unguarded():
            update(ApiKeyFactory(), mode="prod")

    def test_stay_whose_they_are(self) -> None:
        for change in one_by_one(
            [
                *(
                    "id = id + 1",
                    "merchant_id = merchant_id + 1",
                    "mode = 'test'",
                    "digest = 'x'",
                    "last4 = 'x'",
                ),
                "created_at = now() - interval '1 day'",
            ]
        ):
            key = ApiKeyFactory()
            with refuses("whose it is, and what it is, stays"):
                execute(f"UPDATE payments_apikey SET {change} WHERE id = %s", key.pk)

    def test_are_disabled_once_and_never_deleted(self) -> None:
        key = ApiKeyFactory()
        assert update(key, disabled_at=datetime.now(UTC)) == 1
        with refuses("it is disabled once"):
            update(key, disabled_at=None)
        with refuses("DELETE of payments_apikey is refused"):
            execute("DELETE FROM payments_apikey")

    def test_are_unique(self) -> None:
        first, second = ApiKeyFactory(), ApiKeyFactory()
        with refuses("digest"), unguarded():
            update(second, digest=first.digest)
