"""Events stay as they were written, no table of the history can be emptied, and keys are claimed once."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from payments.domain.states import Mode
from payments.models import ApiKey, Event, IdempotencyKey
from tests.database.sql import execute, refuses, update
from tests.support.factories import make_api_key, make_event, make_merchant, make_operation, make_payment
from tests.support.unguarded import unguarded

pytestmark = pytest.mark.django_db

KEPT = [
    *("payment", "operation", "attempt", "event", "discrepancy", "resolution", "merchant", "apikey"),
    *("idempotencykey", "apirequest"),
]


class TestEvents:
    @pytest.mark.parametrize("field", [field.column for field in Event._meta.concrete_fields])
    def test_cannot_be_changed(self, field: str) -> None:
        event = make_event(make_payment(), Event.Type.PAYMENT_CREATED)
        with refuses("UPDATE of payments_event is refused"):
            execute(f"UPDATE payments_event SET {field} = {field} WHERE id = %s", event.pk)

    def test_cannot_be_changed_by_the_orm(self) -> None:
        event = make_event(make_payment(), Event.Type.PAYMENT_CREATED)
        event.actor = "somebody else"
        with refuses("UPDATE of payments_event is refused"):
            event.save()

    def test_cannot_be_deleted(self) -> None:
        event = make_event(make_payment(), Event.Type.PAYMENT_CREATED)
        with refuses("DELETE of payments_event is refused"):
            execute("DELETE FROM payments_event WHERE id = %s", event.pk)

    def test_are_dated_by_the_databases_clock_and_not_by_their_transaction(self) -> None:
        payment = make_payment()
        first = make_event(payment, Event.Type.PAYMENT_CREATED)
        second = make_event(payment, Event.Type.PAYMENT_AUTHORIZED)
        assert Event.objects.get(pk=first.pk).at < Event.objects.get(pk=second.pk).at


class TestTruncate:
    @pytest.fixture
    def _as_in_production(self) -> None:
        """The tests' own database has these triggers switched off, to be emptied between tests."""
        with connection.cursor() as cursor:
            for table in KEPT:
                cursor.execute(f"ALTER TABLE payments_{table} ENABLE TRIGGER guard_truncate")

    @pytest.mark.usefixtures("_as_in_production")
    @pytest.mark.parametrize("table", KEPT)
    def test_empties_no_table_of_the_history(self, table: str) -> None:
        with refuses("TRUNCATE of payments_[a-z]+ is refused"):
            execute(f"TRUNCATE payments_{table} CASCADE")


class TestIdempotencyKeys:
    def claim(self, **fields: Any) -> IdempotencyKey:
        defaults: dict[str, Any] = {
            "merchant": make_merchant(),
            "mode": Mode.LIVE,
            "key": "key-1",
            "fingerprint": "f",
            "fingerprint_key_id": "new",
            "operation": make_operation(make_payment()),
        }
        with unguarded():
            return IdempotencyKey.objects.create(**defaults | fields)

    def test_are_claimed_once_by_each_merchant_in_each_mode(self) -> None:
        self.claim()
        assert self.claim(mode=Mode.TEST).pk
        assert self.claim(merchant=make_merchant("another")).pk
        assert self.claim(key="KEY-1").pk
        with refuses("idempotency_key_claimed_once"):
            self.claim()

    def test_have_a_mode_that_is_known(self) -> None:
        with refuses("its mode is unknown"):
            self.claim(mode="prod")


class TestMerchants:
    def test_cannot_be_deleted(self) -> None:
        with refuses("DELETE of payments_merchant is refused"):
            execute("DELETE FROM payments_merchant WHERE id = %s", make_merchant().pk)

    @pytest.mark.parametrize("change", ["id = id + 1", "slug = 'x'", "created_at = now() - interval '1 day'"])
    def test_keep_what_bank_keys_are_derived_from(self, change: str) -> None:
        merchant = make_merchant()
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
        key, plain = make_api_key()
        assert plain not in str(ApiKey.objects.filter(pk=key.pk).values().get())
        assert ApiKey.objects.get(digest=ApiKey.digest_of(plain)) == key

    def test_have_a_mode_that_is_known(self) -> None:
        with refuses("api_key_mode_known"), unguarded():
            update(make_api_key()[0], mode="prod")

    @pytest.mark.parametrize(
        "change",
        [
            *("id = id + 1", "merchant_id = merchant_id + 1", "mode = 'test'", "digest = 'x'", "last4 = 'x'"),
            "created_at = now() - interval '1 day'",
        ],
    )
    def test_stay_whose_they_are(self, change: str) -> None:
        key, _ = make_api_key()
        with refuses("whose it is, and what it is, stays"):
            execute(f"UPDATE payments_apikey SET {change} WHERE id = %s", key.pk)

    def test_are_disabled_once_and_never_deleted(self) -> None:
        key, _ = make_api_key()
        assert update(key, disabled_at=datetime.now(UTC)) == 1
        with refuses("it is disabled once"):
            update(key, disabled_at=None)
        with refuses("DELETE of payments_apikey is refused"):
            execute("DELETE FROM payments_apikey")

    def test_are_unique(self) -> None:
        (first, _), (second, _) = make_api_key(), make_api_key()
        with refuses("digest"), unguarded():
            update(second, digest=first.digest)
