"""Whoever was given a group can log in, is told why not otherwise; and superusers see who is locked out."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from office.door.roles import MAY, Role
from payments.models import Event
from tests.office.door.doors import make_groups
from tests.office.door.logins import PASSWORD, code_of, fail, is_in, log_in
from tests.office.pages.conftest import text_of

USERS = "/admin/auth/user/"


@pytest.fixture
def ada(db: None) -> Client:
    make_groups()
    client = Client()
    client.force_login(User.objects.create_superuser("ada", password="x"))
    return client


@pytest.mark.django_db
def test_a_migrated_database_has_the_groups_and_what_they_may_do() -> None:
    """Nobody but a superuser could be let in where `manage.py migrate` had made none."""
    Group.objects.all().delete()
    call_command("migrate", verbosity=0)
    for role, may in MAY.items():
        given = Group.objects.get(name=role).permissions.values_list("codename", flat=True)
        assert set(given) == set(may)


@pytest.fixture
def kim(db: None) -> User:
    return User.objects.create_user("kim", password=PASSWORD)


def form_of(user: User, **changes: Any) -> dict[str, Any]:
    return {"username": user.username, "is_active": "on", "reason": "she begins today"} | changes


def support() -> int:
    return Group.objects.get(name=Role.SUPPORT).pk


def told(answer: Any) -> str:
    return text_of(answer.content.decode())


class TestANewUser:
    def test_who_is_made_with_a_group_can_log_in(self, ada: Client) -> None:
        form = {
            "username": "kim",
            "usable_password": "true",
            "password1": PASSWORD,
            "password2": PASSWORD,
            "groups": [support()],
            "reason": "she begins today",
        }
        answer = ada.post(f"{USERS}add/", form)
        assert answer.status_code == 302, told(answer)
        client = Client()
        log_in(client)
        assert is_in(client)

    def test_who_is_given_a_group_can_log_in(self, ada: Client, kim: User) -> None:
        answer = ada.post(f"{USERS}{kim.pk}/change/", form_of(kim, groups=[support()]))
        assert answer.status_code == 302, told(answer)
        client = Client()
        log_in(client)
        assert is_in(client)
        changed = Event.objects.get(type="user.changed").evidence["changed"]
        assert changed["is_staff"] == {"from": False, "to": True}

    def test_whose_staff_status_is_taken_away_beside_a_group_is_not_saved(
        self, ada: Client, kim: User
    ) -> None:
        User.objects.filter(pk=kim.pk).update(is_staff=True)
        answer = ada.post(f"{USERS}{kim.pk}/change/", form_of(kim, groups=[support()]))
        assert "To keep them out, uncheck “Active”." in told(answer)
        assert User.objects.get(pk=kim.pk).is_staff

    def test_without_anything_to_do_stays_outside(self, ada: Client, kim: User) -> None:
        assert ada.post(f"{USERS}{kim.pk}/change/", form_of(kim)).status_code == 302
        assert not User.objects.get(pk=kim.pk).is_staff


class TestARightPassword:
    def test_is_not_called_wrong_where_there_is_no_staff_status(self, kim: User) -> None:
        answer = told(log_in(Client()))
        assert "Username and password are correct, but kim has no access" in answer
        assert "is wrong" not in answer

    def test_is_not_called_wrong_where_the_account_is_not_active(self, kim: User) -> None:
        User.objects.update(is_active=False, is_staff=True)
        client = Client()
        assert "but kim is no longer active" in told(log_in(client))
        assert not is_in(client)
        assert "is wrong" in told(log_in(client, password="wrong"))

    @pytest.mark.parametrize("active", [True, False])
    def test_is_told_to_nobody_without_the_code(self, kim: User, active: bool) -> None:
        User.objects.update(is_active=active)
        device = TOTPDevice.objects.create(user=kim, name="phone")
        assert "is wrong" in told(log_in(Client()))
        if active:
            assert "Username and password are correct" in told(log_in(Client(), code=code_of(device)))


class TestASuperuser:
    def test_sees_groups_logins_second_factors_and_locks(self, ada: Client, kim: User) -> None:
        User.objects.filter(pk=kim.pk).update(is_staff=True)
        kim.groups.add(support())
        TOTPDevice.objects.create(user=kim, name="phone")
        shown = told(ada.get(USERS))
        assert "kim Support yes never set up no" in " ".join(shown.split())
        fail(Client(), 5)
        assert "kim Support yes never set up until 20" in told(ada.get(USERS))
        page = told(ada.get(f"{USERS}{kim.pk}/change/"))
        assert "Unlock the login…" in page
        assert "Locked until 20" in page

    def test_unlocks(self, ada: Client, kim: User) -> None:
        User.objects.filter(pk=kim.pk).update(is_staff=True)
        assert "Unlock the login…" not in told(ada.get(f"{USERS}{kim.pk}/change/"))
        fail(Client(), 5)
        assert log_in(Client()).status_code == 429
        page = f"{USERS}{kim.pk}/unlock/"
        preview = ada.post(page, {"reason": "she called"}, follow=True)
        assert "kim can log in again at once, with five new tries." in told(preview)
        done = ada.post(page, {"reason": "she called", "confirmed": "yes"}, follow=True)
        assert "kim can log in again." in told(done)
        client = Client()
        log_in(client)
        assert is_in(client)
        event = Event.objects.get(type="user.changed")
        assert event.evidence["changed"] == {"is_locked": {"from": True, "to": False}}
        assert event.evidence["reason"] == "she called"
        again = ada.post(page, {"reason": "x", "confirmed": "yes"}, follow=True)
        assert "The login of kim is not locked." in told(again)
