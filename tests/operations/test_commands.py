"""What operators type: plain words when something is wrong, and secrets where they belong."""

import json
import os
import stat
import subprocess
import sys
from datetime import timedelta
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ, Schedule, Task
from django_q.scheduler import scheduler

from office.schedules import schedules
from payments.domain.rates import Limits
from payments.domain.states import Mode
from payments.models import ApiKey, Event, Merchant
from payments.models.clock import ClockTimestamp
from payments.usecases.merchants import create_merchant, find_api_key, limits_of
from tests.operations.warm import run_each
from tests.support.api_client import ApiClient, order
from tests.support.gateway_server import environment_of_a_process
from tests.support.simulated_bank import PROJECT, SimulatedBank
from tests.support.time_travel import let_pass


def run(*command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, as an operator runs it."""
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=PROJECT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "ficpay.settings", **settings},
        capture_output=True,
        text=True,
        check=False,
    )


NO_DATABASE = "postgres://ficpay@127.0.0.1:1/ficpay"
WITHOUT_DATABASE = [
    ["migrate"],
    ["seed", "--credentials", "never-written.json"],
    ["issue_api_key", "ficmart", "--mode", "live"],
    ["worker"],
    ["changepassword", "admin"],
    ["shell", "-v0", "-c", "Payment.objects.count()"],
]
WRONG_MODES = [
    ["issue_api_key", "ficmart"],
    ["issue_api_key", "ficmart", "--mode", "real"],
    ["issue_api_key", "--mode", "live"],
]
Said = subprocess.CompletedProcess[str]


@cache
def said() -> list[Said]:
    """What commands say that have no database, or need none: one process loads Django for all of them."""
    commands = [*WITHOUT_DATABASE, ["migrate", "--traceback"], *WRONG_MODES]
    return run_each(commands, DATABASE_URL=NO_DATABASE)


def issued(merchant: str, mode: str) -> str:
    printed = StringIO()
    call_command("issue_api_key", merchant, mode=mode, stdout=printed)
    return printed.getvalue()


class TestOutput:
    @pytest.mark.usefixtures("quick")
    def test_is_for_programs_and_logs_are_not_in_it(self, live: ApiClient, bank: SimulatedBank) -> None:
        bank.script("authorizations", "drop_after", times=50)
        assert live.post("/payments", order()).status == 202
        bank.clear_script()
        let_pass(timedelta(minutes=2), bank)
        done = run("reconcile", "pending", "--json", **environment_of_a_process(bank.url))
        assert "attempt_ended" in done.stderr, done
        assert isinstance(json.loads(done.stdout), dict)


class TestManage:
    def test_a_database_that_is_away_is_one_plain_line(self) -> None:
        for done in said()[: len(WITHOUT_DATABASE)]:
            assert (done.returncode, done.stdout) == (1, ""), done
            (line,) = done.stderr.splitlines()
            assert line.startswith("The database is away (connection failed: "), done
            assert "`make up`" in line, done
            assert "DATABASE_URL" in line, done

    def test_a_missing_setting_is_one_plain_line(self) -> None:
        done = run("issue_api_key", "ficmart", "--mode", "live", DJANGO_SECRET_KEY="")
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith("DJANGO_SECRET_KEY is not set.")

    @pytest.mark.django_db
    def test_a_defect_keeps_its_traceback(self) -> None:
        done = run(
            "shell", "-v0", "-c", "from django.db import connection as c; c.cursor().execute('NONSENSE')"
        )
        assert done.returncode == 1
        assert "Traceback" in done.stderr
        assert "The database is away" not in done.stderr

    def test_a_traceback_that_is_asked_for_is_shown(self) -> None:
        (done,) = (done for done in said() if "--traceback" in done.args)
        assert "Traceback" in done.stderr

    def test_it_is_a_program_that_says_where_its_python_is(self) -> None:
        assert os.access(PROJECT / "manage.py", os.X_OK)
        without_packages = [sys.executable, "-S", "manage.py", "help"]
        done = subprocess.run(without_packages, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert ".venv/bin/python manage.py" in line


@pytest.mark.django_db
class TestIssueApiKey:
    @pytest.mark.parametrize("mode", ["live", "test"])
    def test_it_prints_the_key_alone_and_stores_its_digest(self, mode: str) -> None:
        create_merchant(slug="ficmart", name="FicMart")
        printed = issued("ficmart", mode)
        plain = printed.removesuffix("\n")
        assert plain.startswith(f"sk_{mode}_")
        assert plain.split() == [plain]
        key = find_api_key(plain)
        assert key is not None
        assert (key.mode, key.merchant.slug, key.last4) == (mode, "ficmart", plain[-4:])
        assert plain not in str(vars(key))

    def test_each_is_new_and_the_older_ones_go_on_working(self) -> None:
        create_merchant(slug="ficmart", name="FicMart")
        first, second = issued("ficmart", "live").strip(), issued("ficmart", "live").strip()
        assert first != second
        assert find_api_key(first)
        assert find_api_key(second)

    def test_an_unknown_merchant_is_named_with_those_that_are(self) -> None:
        with pytest.raises(CommandError, match="no merchant 'nobody'"):
            issued("nobody", "live")
        create_merchant(slug="ficmart", name="FicMart")
        with pytest.raises(CommandError, match=r"no merchant 'nobody'\. Merchants: ficmart"):
            issued("nobody", "live")
        assert not ApiKey.objects.exists()

    def test_a_wrong_or_missing_mode_is_a_usage_message_and_no_success(self) -> None:
        for done in said()[-len(WRONG_MODES) :]:
            assert (done.returncode, done.stdout) == (2, ""), done
            assert "usage:" in done.stderr, done
            assert "Traceback" not in done.stderr, done

    def test_it_takes_a_name_scopes_and_an_expiry_and_is_logged(self) -> None:
        create_merchant(slug="ficmart", name="FicMart")
        printed = StringIO()
        asked = {"name": "reports", "scopes": "payments:read,keys", "expires_in_days": 90}
        call_command("issue_api_key", "ficmart", mode="live", stdout=printed, **asked)
        key = find_api_key(printed.getvalue().strip())
        assert key is not None
        assert (key.name, key.scopes) == ("reports", ["payments:read", "keys"])
        assert key.expires_at is not None
        assert timedelta(days=89) < key.expires_at - timezone.now() <= timedelta(days=90)
        assert Event.objects.get().type == Event.Type.API_KEY_CREATED

    def test_an_unknown_scope_and_an_expiry_in_the_past_are_refused(self) -> None:
        create_merchant(slug="ficmart", name="FicMart")
        for asked in ({"scopes": "everything"}, {"expires_in_days": 0}):
            with pytest.raises(CommandError):
                call_command("issue_api_key", "ficmart", mode="live", **asked)
        assert not ApiKey.objects.exists()


@pytest.mark.django_db
class TestCreateMerchant:
    def test_it_makes_a_merchant_with_routes_and_limits(self) -> None:
        call_command("create_merchant", "bookshop", name="The Book Shop", writes=7, stdout=StringIO())
        merchant = Merchant.objects.get(slug="bookshop")
        assert merchant.routes.count() > 0
        for mode in Mode:
            assert limits_of(merchant, mode) == Limits(writes=7, reads=settings.RATE_LIMITS.reads)
        assert Event.objects.get().type == Event.Type.MERCHANT_CREATED

    def test_it_refuses_what_cannot_be_a_merchant(self) -> None:
        create_merchant(slug="ficmart", name="FicMart")
        for slug, asked in (
            ("ficmart", {"name": "Again"}),
            ("a b", {"name": "x"}),
            ("shop", {"name": " "}),
            ("shop", {"name": "4111 1111 1111 1111"}),
            ("shop", {"name": "x", "writes": 0}),
        ):
            with pytest.raises(CommandError):
                call_command("create_merchant", slug, **asked)
        assert Merchant.objects.count() == 1


@pytest.mark.django_db
class TestSeed:
    def test_it_makes_what_a_new_installation_needs(self, tmp_path: Path) -> None:
        file = tmp_path / "deep" / "credentials.json"
        call_command("seed", credentials=file, stdout=StringIO())
        kept = json.loads(file.read_text())
        for mode in ("live", "test"):
            key = find_api_key(kept[f"{mode}_api_key"])
            assert key is not None
            assert (key.merchant.slug, key.mode) == ("ficmart", mode)
        admin = User.objects.get(username=kept["admin_username"])
        assert admin.check_password(kept["admin_password"])
        assert admin.is_superuser

    def test_its_file_is_its_owners_alone(self, tmp_path: Path) -> None:
        file = tmp_path / "credentials.json"
        file.write_text("{}")
        file.chmod(0o644)
        call_command("seed", credentials=file, stdout=StringIO())
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert list(tmp_path.iterdir()) == [file]

    def test_again_it_changes_nothing(self, tmp_path: Path) -> None:
        file, printed = tmp_path / "credentials.json", StringIO()
        call_command("seed", credentials=file, stdout=printed)
        before = file.read_text()
        call_command("seed", credentials=file, stdout=printed)
        assert file.read_text() == before
        assert (Merchant.objects.count(), ApiKey.objects.count(), User.objects.count()) == (1, 2, 1)
        secrets = [value for name, value in json.loads(before).items() if name != "admin_username"]
        assert not any(secret in printed.getvalue() for secret in secrets)

    def test_what_no_longer_works_is_made_anew(self, tmp_path: Path) -> None:
        file = tmp_path / "credentials.json"
        call_command("seed", credentials=file, stdout=StringIO())
        before = json.loads(file.read_text())
        ApiKey.objects.filter(mode="live").update(disabled_at=ClockTimestamp())
        User.objects.get().delete()
        call_command("seed", credentials=file, stdout=StringIO())
        after = json.loads(file.read_text())
        assert after["test_api_key"] == before["test_api_key"]
        assert find_api_key(after["live_api_key"])
        assert User.objects.get(username="admin").check_password(after["admin_password"])

    def test_a_file_that_holds_something_else_is_left_alone(self, tmp_path: Path) -> None:
        file = tmp_path / "credentials.json"
        for content in ("", "not json", "[]", "5"):
            file.write_text(content)
            with pytest.raises(CommandError, match="Move it away"):
                call_command("seed", credentials=file, stdout=StringIO())
            assert file.read_text() == content

    @pytest.mark.parametrize("debug", [False, True])
    def test_an_admin_whose_password_is_not_in_the_file_is_taken_over_in_development_only(
        self, tmp_path: Path, settings: Any, debug: bool
    ) -> None:
        settings.DEBUG = debug
        admin = User.objects.create_superuser("admin", password="somebody-s-own")
        file = tmp_path / "credentials.json"
        if debug:
            call_command("seed", credentials=file, stdout=StringIO())
        else:
            with pytest.raises(CommandError, match="changepassword"):
                call_command("seed", credentials=file, stdout=StringIO())
        admin = User.objects.get(pk=admin.pk)
        assert admin.check_password("somebody-s-own") is not debug
        kept = json.loads(file.read_text())
        assert find_api_key(kept["live_api_key"])
        assert ("admin_password" in kept) is debug


class TestWorker:
    def test_it_refuses_a_pool_of_connections(self) -> None:
        done = run("worker", FICPAY_DB_POOL="6")
        assert done.returncode == 1
        assert "FICPAY_DB_POOL=0" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.django_db
    def test_its_schedules_are_those_of_this_version(self) -> None:
        Schedule.objects.create(name="old", func="gone.away", schedule_type=Schedule.MINUTES)
        for _ in range(2):
            schedules.install()
        assert set(Schedule.objects.values_list("name", flat=True)) == {
            *("heartbeat", "recovery", "expirations", "search", "forget"),
            *("statements", "test-statements", "reconciliation", "missing-days", "settlement", "bank-check"),
        }

    @pytest.mark.django_db
    def test_failed_runs_are_forgotten_after_30_days(self) -> None:
        now = timezone.now()
        for days, success in ((29, False), (31, False), (31, True)):
            ended = now - timedelta(days=days)
            Task.objects.create(
                id=f"{days}{success}",
                name="x",
                func="x.y",
                group="recovery",
                started=ended,
                stopped=ended,
                success=success,
            )
        assert schedules.forget() == 1
        assert set(Task.objects.values_list("id", flat=True)) == {"29False", "31True"}

    @pytest.mark.django_db(transaction=True)  # the scheduler opens a connection of its own
    def test_it_ends_a_run_by_its_schedule_s_own_timeout(self) -> None:
        schedules.install()
        scheduler(broker=get_broker())
        timeouts = {task.task["group"]: task.task["timeout"] for task in OrmQ.objects.all()}
        assert timeouts == {name: duty.timeout for name, duty in schedules.SCHEDULES.items()}
        cluster = settings.Q_CLUSTER
        longest = max(timeouts.values())
        assert cluster["retry"] > longest * (1 + (cluster["queue_limit"] + 1) / cluster["workers"])

    @pytest.mark.django_db
    def test_every_schedule_names_a_function_that_is_there(self) -> None:
        from django.utils.module_loading import import_string  # noqa: PLC0415

        schedules.install()
        names: list[Any] = list(Schedule.objects.values_list("func", flat=True))
        assert names
        assert all(callable(import_string(name)) for name in names)
