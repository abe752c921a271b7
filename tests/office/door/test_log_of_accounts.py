"""What is done to users, groups, passwords and second factors stands in the log: who, where from, and why."""

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from office.door.roles import Role, make_groups
from payments.models import Event
from tests.office.door.logins import CARD_NUMBER, NOW, PASSWORD, code_of, set_up
from tests.office.pages.conftest import text_of

NEW_PASSWORD = "staple battery horse correct"


@pytest.fixture
def ada(db: None) -> User:
    make_groups()
    return User.objects.create_superuser("ada", password=PASSWORD)


@pytest.fixture
def kim(db: None) -> User:
    return User.objects.create_user("kim", password=PASSWORD, is_staff=True, email="kim@example.org")


@pytest.fixture
def client(ada: User) -> Client:
    client = Client(REMOTE_ADDR="192.0.2.7")
    client.force_login(ada)
    return client


def path(account: User | Group, page: str = "change") -> str:
    return f"/admin/auth/{account._meta.model_name}/{account.pk}/{page}/"


def form_of(user: User, **given: Any) -> dict[str, Any]:
    """The form as the page would send it, with these fields changed."""
    fields: dict[str, Any] = {name: getattr(user, name) for name in ("username", "first_name", "last_name")}
    fields |= {"email": user.email, "groups": list(user.groups.values_list("pk", flat=True))}
    fields |= {name: "on" for name in ("is_active", "is_staff", "is_superuser") if getattr(user, name)}
    fields = fields | {"reason": "she asked for it"} | given
    return {name: value for name, value in fields.items() if value is not None}


def logged() -> Event:
    """The one event there is."""
    return Event.objects.get()


def nothing_is_logged() -> bool:
    return not Event.objects.exists()


@contextmanager
def log_refused() -> Iterator[None]:
    """A database that takes no event."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payments_event ADD CONSTRAINT refused CHECK (false) NOT VALID")
        yield
        cursor.execute("ALTER TABLE payments_event DROP CONSTRAINT refused")


class TestUsers:
    def test_are_added_with_a_line_in_the_log(self, client: Client, ada: User) -> None:
        form = {"username": "joe", "usable_password": "true", "password1": NEW_PASSWORD}
        form |= {"password2": NEW_PASSWORD, "reason": "he starts on Monday"}
        assert client.post("/admin/auth/user/add/", form).status_code == 302
        joe = User.objects.get(username="joe")
        assert (logged().type, logged().actor) == ("user.created", "staff:ada")
        assert logged().evidence == {
            "account": "joe",
            "account_id": joe.pk,
            "reason": "he starts on Monday",
            "user": ada.pk,
            "from": "192.0.2.7",
        }

    def test_are_changed_with_old_and_new_values(self, client: Client, kim: User) -> None:
        kim.groups.add(Group.objects.get(name=Role.SUPPORT))
        lead = Group.objects.get(name=Role.SUPPORT_LEAD)
        note = Permission.objects.get(codename="view_merchant")
        form = form_of(kim, is_superuser="on", groups=[lead.pk], user_permissions=[note.pk])
        assert client.post(path(kim), form).status_code == 302
        assert logged().type == "user.changed"
        assert logged().evidence["changed"] == {
            "is_superuser": {"from": False, "to": True},
            "groups": {"from": ["Support"], "to": ["Support lead"]},
            "permissions": {"from": [], "to": ["payments.view_merchant"]},
        }
        assert logged().evidence["reason"] == "she asked for it"

    def test_keep_their_id_in_the_log_when_they_are_renamed(self, client: Client, kim: User) -> None:
        client.post(path(kim), form_of(kim, username="kim.lee"))
        evidence = logged().evidence
        assert evidence["changed"] == {"username": {"from": "kim", "to": "kim.lee"}}
        assert (evidence["account"], evidence["account_id"]) == ("kim.lee", kim.pk)

    def test_leave_no_personal_data_in_the_log(self, client: Client, kim: User) -> None:
        client.post(path(kim), form_of(kim, email="lee@example.org", first_name="Kim"))
        assert logged().evidence["changed"] == {"first_name": {}, "email": {}}
        assert "example.org" not in json.dumps(logged().evidence)

    def test_that_were_saved_as_they_were_leave_no_line(self, client: Client, kim: User) -> None:
        assert client.post(path(kim), form_of(kim)).status_code == 302
        assert nothing_is_logged()

    @pytest.mark.parametrize("reason", ["", "   ", f"card {CARD_NUMBER}", "x" * 501])
    def test_are_not_changed_without_a_reason(self, client: Client, kim: User, reason: str) -> None:
        assert client.post(path(kim), form_of(kim, is_staff=None, reason=reason)).status_code == 200
        form = {"username": "joe", "usable_password": "true", "password1": NEW_PASSWORD, "reason": reason}
        assert client.post("/admin/auth/user/add/", form | {"password2": NEW_PASSWORD}).status_code == 200
        assert User.objects.get(username="kim").is_staff
        assert not User.objects.filter(username="joe").exists()
        assert nothing_is_logged()

    def test_are_not_changed_if_the_log_cannot_be_written(self, client: Client, kim: User) -> None:
        with log_refused(), pytest.raises(DatabaseError):
            client.post(path(kim), form_of(kim, is_staff=None))
        assert User.objects.get(username="kim").is_staff

    def test_cannot_be_told_to_have_logged_in_at_another_time(self, client: Client, kim: User) -> None:
        joined = {"date_joined_0": "2020-01-01", "date_joined_1": "00:00", "last_login_0": "2020-01-01"}
        client.post(path(kim), form_of(kim, **joined, last_login_1="00:00"))
        kim.refresh_from_db()
        assert kim.date_joined.year != 2020
        assert kim.last_login is None


class TestPasswords:
    def test_set_by_a_superuser_are_in_the_log_without_themselves(self, client: Client, kim: User) -> None:
        form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
        page = client.post(path(kim, "password"), form)
        assert page.status_code == 200
        assert "This field is required." in page.content.decode()
        assert nothing_is_logged()
        assert client.post(path(kim, "password"), form | {"reason": "forgotten"}).status_code == 302
        kim.refresh_from_db()
        assert kim.check_password(NEW_PASSWORD)
        assert (logged().type, logged().actor) == ("user.password_changed", "staff:ada")
        assert {
            "account": "kim",
            "account_id": kim.pk,
            "reason": "forgotten",
        }.items() <= logged().evidence.items()
        assert NEW_PASSWORD not in json.dumps(logged().evidence)
        assert kim.password not in json.dumps(logged().evidence)

    def test_may_look_like_a_card_number(self, client: Client, kim: User) -> None:
        form = {"password1": CARD_NUMBER, "password2": CARD_NUMBER, "usable_password": "true"}
        assert client.post(path(kim, "password"), form | {"reason": "her wish"}).status_code == 302
        assert CARD_NUMBER not in json.dumps(logged().evidence)

    def test_are_not_set_if_the_log_cannot_be_written(self, client: Client, kim: User) -> None:
        form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
        with log_refused(), pytest.raises(DatabaseError):
            client.post(path(kim, "password"), form | {"reason": "forgotten"})
        assert User.objects.get(username="kim").check_password(PASSWORD)

    def test_changed_by_oneself_are_in_the_log(self, kim: User) -> None:
        client = Client(REMOTE_ADDR="192.0.2.8")
        client.force_login(kim)
        form = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
        assert client.post("/admin/password_change/", form | {"old_password": "wrong"}).status_code == 200
        assert nothing_is_logged()
        assert client.post("/admin/password_change/", form)["Location"] == "/admin/password_change/done/"
        assert client.get("/admin/").status_code == 200  # still signed in
        assert (logged().type, logged().actor) == ("user.password_changed", "staff:kim")
        assert logged().evidence == {
            "account": "kim",
            "account_id": kim.pk,
            "user": kim.pk,
            "from": "192.0.2.8",
        }

    def test_are_not_changed_by_oneself_if_the_log_cannot_be_written(self, kim: User) -> None:
        client = Client()
        client.force_login(kim)
        form = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
        with log_refused(), pytest.raises(DatabaseError):
            client.post("/admin/password_change/", form)
        assert User.objects.get(username="kim").check_password(PASSWORD)


class TestGroups:
    def test_are_added_and_changed_with_a_line_in_the_log(self, client: Client) -> None:
        looking = Permission.objects.get(codename="view_payment")
        form = {"name": "Night shift", "permissions": [looking.pk], "reason": "the nights"}
        assert client.post("/admin/auth/group/add/", form).status_code == 302
        group = Group.objects.get(name="Night shift")
        assert logged().type == "group.created"
        assert logged().evidence["changed"] == {"permissions": {"to": ["payments.view_payment"]}}
        assert logged().evidence["reason"] == "the nights"
        client.post(path(group), {"name": "Nights", "reason": "shorter"})
        changed = Event.objects.get(type="group.changed").evidence
        assert (changed["group"], changed["group_id"]) == ("Nights", group.pk)
        assert changed["changed"] == {
            "name": {"from": "Night shift", "to": "Nights"},
            "permissions": {"from": ["payments.view_payment"], "to": []},
        }

    def test_are_not_changed_without_a_reason(self, client: Client) -> None:
        group = Group.objects.get(name=Role.AUDITOR)
        assert client.post(path(group), {"name": "Spies"}).status_code == 200
        assert Group.objects.filter(name=Role.AUDITOR).exists()
        assert nothing_is_logged()


class TestNothingIsDeleted:
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_and_who_looks_for_it_reads_what_to_do_instead(
        self, client: Client, kim: User, method: str
    ) -> None:
        for account in (kim, Group.objects.get(name=Role.SUPPORT)):
            page = getattr(client, method)(path(account, "delete"), {"post": "yes"}, follow=True)
            assert "cannot be deleted" in text_of(page.content.decode())
            form = {"action": "delete_selected", "_selected_action": str(account.pk), "post": "yes"}
            client.post(f"/admin/auth/{account._meta.model_name}/", form)
            assert type(account).objects.filter(pk=account.pk).exists()

    def test_offers_no_button_for_it(self, client: Client, kim: User) -> None:
        assert path(kim, "delete") not in client.get(path(kim)).content.decode()

    def test_keeps_no_second_log_that_could_be_edited(self, client: Client, kim: User) -> None:
        client.post(path(kim), form_of(kim, is_staff=None))
        assert Event.objects.count() == 1
        assert not LogEntry.objects.exists()
        assert client.get(path(kim, "history")).status_code == 404


class TestSecondFactors:
    def test_are_set_up_with_a_line_in_the_log(self, kim: User) -> None:
        client = Client(REMOTE_ADDR="192.0.2.8")
        client.force_login(kim)
        with time_machine.travel(NOW, tick=False):
            client.get("/admin/second-factor/")
            set_up(client, "000000")
            assert nothing_is_logged()
        with time_machine.travel(datetime(2026, 11, 21, 9, 31, tzinfo=UTC), tick=False):
            client.post(
                "/admin/second-factor/", {"code": code_of(TOTPDevice.objects.get()), "password": PASSWORD}
            )
        assert (logged().type, logged().actor) == ("user.second_factor_set_up", "staff:kim")
        assert logged().evidence["from"] == "192.0.2.8"
        assert TOTPDevice.objects.get().key not in json.dumps(logged().evidence)

    def test_are_reset_on_a_page_that_asks_why(self, client: Client, kim: User) -> None:
        page = path(kim, "reset-second-factor")
        assert page not in client.get(path(kim)).content.decode()
        TOTPDevice.objects.create(user=kim, name="phone")
        assert page in client.get(path(kim)).content.decode()
        assert "Make sure that the request comes from them" in text_of(client.get(page).content.decode())
        client.post(page, {"confirmed": "yes"})
        preview = text_of(client.post(page, {"reason": "stolen"}, follow=True).content.decode())
        assert "The next login of kim needs only the password." in preview
        assert TOTPDevice.objects.exists()
        assert nothing_is_logged()
        done = client.post(page, {"reason": "stolen", "confirmed": "yes"}, follow=True)
        assert "needs only the password" in text_of(done.content.decode())
        assert not TOTPDevice.objects.exists()
        assert (logged().type, logged().actor) == ("user.second_factor_reset", "staff:ada")
        assert {
            "account": "kim",
            "account_id": kim.pk,
            "reason": "stolen",
        }.items() <= logged().evidence.items()
        again = client.post(page, {"reason": "stolen", "confirmed": "yes"}, follow=True)
        assert "kim has no second factor." in text_of(again.content.decode())
        assert Event.objects.count() == 1

    def test_stay_if_the_log_cannot_be_written(self, client: Client, kim: User) -> None:
        TOTPDevice.objects.create(user=kim, name="phone")
        with log_refused(), pytest.raises(DatabaseError):
            client.post(path(kim, "reset-second-factor"), {"reason": "stolen", "confirmed": "yes"})
        assert TOTPDevice.objects.exists()

    def test_of_nobody_are_not_found(self, client: Client) -> None:
        for nobody in ("0", "x"):
            assert client.get(f"/admin/auth/user/{nobody}/reset-second-factor/").status_code == 404

    def test_reset_by_a_command_are_in_the_log_too(self, kim: User) -> None:
        TOTPDevice.objects.create(user=kim, name="phone")
        with pytest.raises(CommandError, match="card number"):
            call_command("reset_second_factor", "kim", reason=f"card {CARD_NUMBER}")
        call_command("reset_second_factor", "kim", reason="stolen", stdout=StringIO())
        assert (logged().type, logged().actor) == ("user.second_factor_reset", "operator")
        assert logged().evidence == {
            "account": "kim",
            "account_id": kim.pk,
            "reason": "stolen",
            "user": None,
            "from": f"command line of {platform.node()}",
        }
