"""Events stay as they were written, no table of the history can be emptied, and keys are claimed once."""

from typing import Any

import pytest
from django.db import connection

from payments.domain.states import Mode
from payments.models import ApiKey, Event, IdempotencyKey
from tests.factories import make_api_key, make_event, make_merchant, make_operation, make_payment
from tests.models.sql import execute, refuses, update

pytestmark = pytest.mark.django_db

HISTORY = ("payments_payment", "payments_operation", "payments_attempt", "payments_event")


class TestEvents:
    @pytest.mark.parametrize("field", [field.column for field in Event._meta.concrete_fields])
    def test_cannot_be_changed(self, field: str) -> None:
        event = make_event(make_payment(), Event.Type.PAYMENT_CREATED)
        with refuses("Cannot update rows from payments_event table"):
            execute(f"UPDATE payments_event SET {field} = {field} WHERE id = %s", event.pk)

    def test_cannot_be_changed_by_the_orm(self) -> None:
        event = make_event(make_payment(), Event.Type.PAYMENT_CREATED)
        event.actor = "somebody else"
        with refuses("Cannot update rows"):
            event.save()

    def test_cannot_be_deleted(self) -> None:
        event = make_event(make_payment(), Event.Type.PAYMENT_CREATED)
        with refuses("Cannot delete rows from payments_event table"):
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
            for table in HISTORY:
                cursor.execute(
                    "SELECT tgname FROM pg_trigger WHERE tgname LIKE 'pgtrigger_never_truncated%%'"
                    " AND tgrelid = %s::regclass",
                    [table],
                )
                ((trigger,),) = cursor.fetchall()
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")

    @pytest.mark.usefixtures("_as_in_production")
    @pytest.mark.parametrize("table", [*HISTORY, "payments_merchant"])
    def test_empties_no_table_of_the_history(self, table: str) -> None:
        with refuses("Cannot truncate rows from payments_"):
            execute(f"TRUNCATE {table} CASCADE")


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
        return IdempotencyKey.objects.create(**defaults | fields)

    def test_are_claimed_once_by_each_merchant_in_each_mode(self) -> None:
        self.claim()
        assert self.claim(mode=Mode.TEST).pk
        assert self.claim(merchant=make_merchant("another")).pk
        assert self.claim(key="KEY-1").pk
        with refuses("idempotency_key_claimed_once"):
            self.claim()

    def test_have_a_mode_that_is_known(self) -> None:
        with refuses("idempotency_key_mode_known"):
            self.claim(mode="prod")


class TestMerchants:
    def test_with_payments_cannot_be_deleted(self) -> None:
        merchant = make_payment().merchant
        execute("SET CONSTRAINTS ALL IMMEDIATE")
        with refuses("violates foreign key constraint"):
            execute("DELETE FROM payments_merchant WHERE id = %s", merchant.pk)


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
        key, _ = make_api_key()
        with refuses("api_key_mode_known"):
            update(key, mode="prod")

    def test_are_unique(self) -> None:
        (first, _), (second, _) = make_api_key(), make_api_key()
        with refuses("digest"):
            update(second, digest=first.digest)
