"""The application's role owns nothing, and may do in the database what the code needs and no more."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.db.models.signals import pre_migrate
from django.test import Client

from dev.postgres import APPLICATION
from ficpay.privileges import check_role
from office.log.staff import Staff
from office.schedules.schedules import forget, install, search
from payments.domain.timing import Timing
from payments.models import ApiKey, ApiRequest, IdempotencyKey, Operation, Payment
from payments.usecases.expirations import expire_due
from payments.usecases.heartbeats import beat
from payments.usecases.merchants import disable_api_key
from payments.usecases.recovery import recover_due
from tests.settings import POSTGRES
from tests.support.api_client import CARDS, ApiClient, order
from tests.support.application_role import as_application
from tests.support.gateway_server import PROJECT, environment_of_a_process
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

WITHIN = timedelta(seconds=10)


@pytest.fixture
def application(transactional_db: None) -> Iterator[None]:
    with as_application():
        yield


class TestTheApplication:
    def test_may_not(self, db: None) -> None:
        connection.ensure_connection()
        url = POSTGRES.url(connection.settings_dict["NAME"], role=APPLICATION)
        for statement in (
            "SET session_replication_role = replica",
            "ALTER TABLE payments_payment DISABLE TRIGGER ALL",
            "ALTER TABLE payments_payment DISABLE TRIGGER guard_update",
            "ALTER TABLE payments_payment DROP CONSTRAINT payments_payment_pkey",
            "DROP TRIGGER guard_update ON payments_payment",
            "DROP FUNCTION guard_payment_update CASCADE",
            "CREATE OR REPLACE FUNCTION guard_payment_update() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RETURN NEW; END'",
            "CREATE TRIGGER mine BEFORE UPDATE ON payments_payment"
            " FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
            "CREATE TABLE mine (id integer)",
            "DROP TABLE payments_event",
            "TRUNCATE payments_heartbeat",
            "TRUNCATE payments_payment CASCADE",
            "DELETE FROM payments_payment",
            "DELETE FROM payments_event",
            "UPDATE payments_event SET actor = 'somebody else'",
            "UPDATE payments_merchant SET is_active = false",
            "UPDATE django_migrations SET name = 'x'",
            "DELETE FROM auth_user",
            "SET ROLE ficpay",
            "SET SESSION AUTHORIZATION ficpay",
        ):
            with psycopg.connect(url, autocommit=True) as session:
                try:
                    session.execute(statement)
                except psycopg.errors.InsufficientPrivilege:
                    continue
            raise AssertionError(f"the application may: {statement}")

    def test_gains_nothing_by_granting_it_to_itself(self, db: None) -> None:
        """PostgreSQL only warns of a grant by a role that may not."""
        connection.ensure_connection()
        url = POSTGRES.url(connection.settings_dict["NAME"], role=APPLICATION)
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(f"GRANT ALL ON payments_payment TO {APPLICATION}")
            granted = session.execute(
                "SELECT privilege_type FROM information_schema.role_table_grants"
                " WHERE grantee = current_user AND table_name = 'payments_payment' ORDER BY 1"
            ).fetchall()
        assert granted == [("INSERT",), ("SELECT",), ("UPDATE",)]

    @pytest.mark.usefixtures("application")
    def test_carries_payments_through_their_lives(
        self, live: ApiClient, bank: SimulatedBank, brief: Timing
    ) -> None:
        payment = live.captured()
        assert live.post(f"/payments/{payment['id']}/refund").status == 200
        assert live.post(f"/payments/{live.authorized()['id']}/void").status == 200
        declined = order(card=CARDS["no-funds"])
        assert live.post("/payments", declined, key="k").status == 402
        assert live.post("/payments", declined, key="k").headers["Idempotent-Replayed"] == "true"
        bank.script("authorizations", "drop_after", stored=False)
        bank.script("authorizations", "drop_before", times=1000)
        assert live.post("/payments", order()).status == 202
        bank.clear_script()
        lost = live.authorized()["id"]
        bank.script("captures", "drop_after")
        bank.script("captures", "drop_before", times=1000)
        assert live.post(f"/payments/{lost}/capture").status == 202
        bank.clear_script()
        for _ in range(3):
            let_pass(timedelta(minutes=11), bank)
            recover_due(within=WITHIN)
        assert live.receipt(lost)["state"] == "CAPTURED"
        states = Payment.objects.values_list("state", flat=True)
        assert sorted(states) == ["CAPTURED", "DECLINED", "FAILED", "REFUNDED", "VOIDED"]

    @pytest.mark.usefixtures("application")
    def test_does_what_is_scheduled(self, live: ApiClient, bank: SimulatedBank) -> None:
        live.authorized()
        live.post("/payments", order(), key="k")
        live.post("/payments", order(order_id=Payment.objects.latest("created_at").order_id))
        install()
        beat()
        let_pass(timedelta(days=31), bank)
        assert len(expire_due(limit=10)) == 2
        recover_due(within=WITHIN)
        assert set(Operation.objects.filter(kind="release").values_list("state", flat=True)) == {"SUCCEEDED"}
        assert search()
        assert forget() > 0
        assert not IdempotencyKey.objects.exists()
        assert not ApiRequest.objects.exists()

    @pytest.mark.usefixtures("application")
    def test_seeds_logs_staff_in_and_disables_keys(self, tmp_path: Path) -> None:
        call_command("seed", credentials=tmp_path / "credentials.json", verbosity=0)
        admin = User.objects.get()
        browser = Client()
        browser.force_login(admin)
        assert browser.get("/admin/payments/payment/").status_code == 200
        wrong = {"username": "admin", "password": "wrong"}
        assert Client().post("/admin/login/", wrong).status_code == 200
        staff = Staff(admin.pk, "admin", "127.0.0.1", "r")
        assert disable_api_key(ApiKey.objects.latest("pk").pk, reason="lost", by=staff)


def manage(*command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *command], cwd=PROJECT,
        env=os.environ | environment_of_a_process("http://127.0.0.1:1") | settings,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def statement_timeout() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return cursor.fetchone()[0]


class TestMigrating:
    def test_is_the_owners_who_grants_what_is_new(self, transactional_db: None) -> None:
        database = connection.settings_dict["NAME"]
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE payments_new (id integer)")
            cursor.execute(f"GRANT DELETE ON payments_payment TO {APPLICATION}")
        try:
            done = manage("migrate", DATABASE_OWNER_URL=POSTGRES.url(database))
            assert done.returncode == 0, done.stderr
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SELECT has_table_privilege('{APPLICATION}', 'payments_new', 'INSERT'),"
                    f" has_table_privilege('{APPLICATION}', 'payments_new', 'DELETE'),"
                    f" has_table_privilege('{APPLICATION}', 'payments_payment', 'DELETE')"
                )
                assert cursor.fetchone() == (True, False, False)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("DROP TABLE payments_new")

    def test_needs_no_pool_and_may_have_one(self, transactional_db: None) -> None:
        done = manage("migrate", FICPAY_DB_POOL="2")
        assert done.returncode == 0, done.stderr

    def test_takes_as_long_as_it_takes(self, transactional_db: None) -> None:
        bounds = []

        def look(**_signal: Any) -> None:
            bounds.append(statement_timeout())

        pre_migrate.connect(look)
        try:
            call_command("migrate", verbosity=0)
        finally:
            pre_migrate.disconnect(look)
        assert set(bounds) == {"0"}
        assert statement_timeout() == "8s"

    def test_of_two_databases_is_refused(self, transactional_db: None) -> None:
        done = manage("migrate", DATABASE_OWNER_URL=POSTGRES.url("postgres"))
        assert done.returncode == 1
        assert "must name the same database" in done.stderr


class TestTheDeploymentsCheck:
    def test_warns_of_a_role_that_owns_its_tables(self, transactional_db: None) -> None:
        assert [warning.id for warning in check_role()] == ["ficpay.W001"]

    @pytest.mark.usefixtures("application")
    def test_is_content_with_one_that_does_not(self) -> None:
        assert check_role() == []
