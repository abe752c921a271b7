"""The back office's door: locked after failures, a second factor, and sessions that end."""

import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.office.door.logins import (
    CARD_NUMBER,
    INDEX,
    LOGIN,
    NOW,
    PASSWORD,
    SECOND_FACTOR,
    code_of,
    fail,
    is_in,
    log_in,
    set_up,
)


@pytest.fixture
def kim(db: None) -> User:
    return User.objects.create_user("kim", password=PASSWORD, is_staff=True)


@pytest.fixture
def device(kim: User) -> TOTPDevice:
    return TOTPDevice.objects.create(user=kim, name="phone")


class TestAfterwards:
    @pytest.mark.parametrize(
        "query",
        [
            *("", "?next=", "?next=https://else.example/", "?next=//x", "?next=a:b"),
            *("?next=/no-such-page", "?next=/admin/no-such-page", "?next=/api/v1/payments"),
            "?next=/admin/logout/",
        ],
    )
    def test_a_login_without_a_usable_next_leads_to_the_back_office(self, kim: User, query: str) -> None:
        named = {"next": query.partition("=")[2]} if query else {}
        client = Client()
        assert client.get(f"{LOGIN}{query}").status_code == 200
        form = {"username": "kim", "password": PASSWORD}
        for sent in (form, form | named):
            arrived = Client().post(f"{LOGIN}{query}", sent, follow=True)
            assert (arrived.status_code, arrived.redirect_chain) == (200, [(INDEX, 302)])

    def test_a_login_leads_to_the_page_that_was_asked_for(self, kim: User) -> None:
        sent = {"username": "kim", "password": PASSWORD, "next": f"{SECOND_FACTOR}?from=here"}
        assert Client().post(LOGIN, sent).headers["Location"] == sent["next"]


class TestLockOut:
    def test_counts_an_ipv6_subscriber_as_one(self, kim: User) -> None:
        """Whoever has one address of that kind has 18 trillion million."""
        for number in range(5):
            answer = fail(Client(), 1, REMOTE_ADDR=f"2001:db8:0:7::{number:x}")
        assert answer.status_code == 429
        assert log_in(Client(), REMOTE_ADDR="2001:db8:0:7:ffff::1").status_code == 429
        assert log_in(Client(), REMOTE_ADDR="2001:db8:0:8::1").status_code == 302

    def test_comes_with_the_fifth_failure_and_says_what_to_do(self, client: Client, kim: User) -> None:
        assert fail(client, 4).status_code == 200
        answer = fail(client, 1)
        assert (answer.status_code, answer["Retry-After"]) == (429, "900")
        assert b"15 minutes" in answer.content
        assert log_in(client).status_code == 429
        assert not is_in(client)

    def test_ends_after_a_quarter_of_an_hour_however_often_one_tries(self, client: Client, kim: User) -> None:
        with time_machine.travel(NOW, tick=False) as clock:
            fail(client, 5)
            clock.shift(timedelta(minutes=14))
            assert log_in(client).status_code == 429
            clock.shift(timedelta(minutes=1, seconds=1))
            assert log_in(client).status_code == 302

    def test_is_of_one_name_at_one_address(self, client: Client, kim: User) -> None:
        User.objects.create_user("joe", password=PASSWORD, is_staff=True)
        fail(client, 5)
        assert log_in(Client(), username="joe").status_code == 302
        assert log_in(Client(), REMOTE_ADDR="192.0.2.7").status_code == 302

    def test_forgets_failures_at_a_success(self, client: Client, kim: User) -> None:
        fail(client, 4)
        log_in(client)
        assert fail(Client(), 4).status_code == 200

    def test_is_lifted_by_an_operator(self, client: Client, kim: User) -> None:
        fail(client, 5)
        call_command("axes_reset_username", "kim", stdout=StringIO())
        assert log_in(client).status_code == 302

    def test_knows_the_client_behind_a_proxy_by_what_the_proxy_says(
        self, client: Client, kim: User, settings: Any
    ) -> None:
        settings.BEHIND_PROXY = True
        for forged in range(5):
            fail(client, 1, HTTP_X_FORWARDED_FOR=f"10.0.0.{forged}, 192.0.2.1")
        assert log_in(client, HTTP_X_FORWARDED_FOR="10.9.9.9, 192.0.2.1").status_code == 429
        assert log_in(Client(), HTTP_X_FORWARDED_FOR="192.0.2.1, 192.0.2.2").status_code == 302

    def test_does_not_believe_clients_where_there_is_no_proxy(self, client: Client, kim: User) -> None:
        for forged in range(5):
            answer = fail(client, 1, HTTP_X_FORWARDED_FOR=f"10.0.0.{forged}")
        assert answer.status_code == 429

    def test_keeps_and_logs_nothing_that_was_typed_into_the_wrong_field(
        self, client: Client, kim: User, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        agent = f"{'x' * 250}{CARD_NUMBER}"
        with caplog.at_level(0):
            for name in (CARD_NUMBER, "a password", "kim"):
                client.post(
                    LOGIN,
                    {
                        "username": name,
                        "password": "wrong-secret",
                        "otp_token": "1",
                        CARD_NUMBER: CARD_NUMBER,
                    },
                    HTTP_USER_AGENT=agent,
                    HTTP_ACCEPT=f"text/{CARD_NUMBER}",
                )
            log_in(client, HTTP_USER_AGENT=agent)
        kept = [str(row) for model in (AccessAttempt, AccessLog) for row in model.objects.values()]
        for text in [*kept, caplog.text, *capfd.readouterr()]:
            for secret in (CARD_NUMBER, CARD_NUMBER[:10], "a password", "wrong-secret", PASSWORD):
                assert secret not in text
        assert len(kept) >= 2


class TestOnesOwnPassword:
    def change(self, client: Client, old: str) -> Any:
        new = "staple battery horse correct"
        form = {"old_password": old, "new_password1": new, "new_password2": new}
        return client.post("/admin/password_change/", form)

    def test_is_changed_by_whoever_knows_the_old_one(self, client: Client, kim: User) -> None:
        client.force_login(kim)
        assert b"Wrong password" in self.change(client, "guessed").content
        assert self.change(client, PASSWORD).status_code == 302

    def test_is_not_guessed_without_end(self, client: Client, kim: User) -> None:
        client.force_login(kim)
        for _ in range(5):
            answer = self.change(client, "guessed")
        assert answer.status_code == 429
        assert self.change(client, PASSWORD).status_code == 429
        assert User.objects.get(pk=kim.pk).check_password(PASSWORD)


class TestSecondFactor:
    def test_is_set_up_by_oneself_and_asked_for_from_then_on(self, client: Client, kim: User) -> None:
        log_in(client)
        page = client.get(SECOND_FACTOR).content.decode()
        assert "<svg" in page
        offered = TOTPDevice.objects.get(confirmed=False)
        with time_machine.travel(NOW, tick=False) as clock:
            log_in(client)
            assert set_up(client, code_of(offered))["Location"] == INDEX
            other = Client()
            assert b"wait for its next code" in log_in(other).content
            assert not is_in(other)
            clock.shift(timedelta(seconds=30))
            assert log_in(other, code=code_of(offered)).status_code == 302
            assert is_in(other)

    def test_is_not_set_up_by_a_wrong_code(self, client: Client, kim: User) -> None:
        log_in(client)
        client.get(SECOND_FACTOR)
        assert b"Wrong code" in set_up(client, "000000").content
        assert not TOTPDevice.objects.filter(confirmed=True).exists()

    def test_is_not_set_up_without_the_password(self, client: Client, kim: User) -> None:
        """Whoever finds an open session would have the account's second factor on a phone of theirs."""
        client.force_login(kim)
        client.get(SECOND_FACTOR)
        with time_machine.travel(NOW, tick=False):
            code = code_of(TOTPDevice.objects.get())
            answer = client.post(SECOND_FACTOR, {"code": code, "password": "guessed"})
            assert b"Wrong password" in answer.content
            for _ in range(4):
                answer = client.post(SECOND_FACTOR, {"code": code, "password": "guessed"})
            assert fail(Client(), 1).status_code == 429  # they count like failures of the login
        assert not TOTPDevice.objects.filter(confirmed=True).exists()

    def test_is_not_set_up_while_the_login_is_locked(self, client: Client, kim: User) -> None:
        """Or the password could be guessed here without end."""
        client.force_login(kim)
        client.get(SECOND_FACTOR)
        with time_machine.travel(NOW, tick=False):
            code = code_of(TOTPDevice.objects.get())
            for _ in range(5):
                client.post(SECOND_FACTOR, {"code": code, "password": "guessed"})
            assert set_up(client, code).status_code == 429
        assert not TOTPDevice.objects.filter(confirmed=True).exists()

    def test_cannot_be_replaced_by_whoever_finds_a_session(self, client: Client, kim: User) -> None:
        client.force_login(kim)
        TOTPDevice.objects.create(user=kim, name="phone")
        assert b"<svg" not in client.get(SECOND_FACTOR).content
        set_up(client, "123456")
        assert TOTPDevice.objects.get().name == "phone"

    def test_takes_no_code_twice(self, kim: User, device: TOTPDevice) -> None:
        with time_machine.travel(NOW, tick=False):
            code = code_of(device)
            assert log_in(Client(), code=code).status_code == 302
            assert log_in(Client(), code=code).status_code == 200

    def test_counts_a_wrong_code_as_a_failure_and_sends_no_password_back(
        self, client: Client, kim: User, device: TOTPDevice
    ) -> None:
        with time_machine.travel(NOW, tick=False) as clock:
            for attempt in range(5):
                answer = log_in(client, code="000000")
                assert PASSWORD not in answer.content.decode()
                clock.shift(timedelta(seconds=2**attempt + 1))  # django-otp makes guessers wait
        assert answer.status_code == 429

    def test_tells_nobody_that_the_password_was_right(self, kim: User, device: TOTPDevice) -> None:
        def told(answer: Any) -> list[str]:
            return re.findall(r"The username, password or code is wrong[^<]*", answer.content.decode())

        wrong = told(log_in(Client(), password="wrong"))
        assert wrong
        assert told(log_in(Client())) == wrong
        assert told(log_in(Client(), code="000000")) == wrong

    def test_counts_a_missing_code_as_a_failure(self, client: Client, kim: User, device: TOTPDevice) -> None:
        for _ in range(5):
            answer = log_in(client)
        assert answer.status_code == 429

    def test_is_anothers_only_for_another(self, client: Client, kim: User, device: TOTPDevice) -> None:
        joe = User.objects.create_user("joe", password=PASSWORD, is_staff=True)
        TOTPDevice.objects.create(user=joe, name="phone")
        assert log_in(client, username="joe", code=code_of(device)).status_code == 200

    def test_is_reset_by_a_superuser_for_whoever_has_lost_it(self, kim: User, device: TOTPDevice) -> None:
        ada = Client()
        ada.force_login(User.objects.create_superuser("ada"))
        ada.post(
            f"/admin/auth/user/{kim.pk}/reset-second-factor/", {"reason": "a new phone", "confirmed": "yes"}
        )
        assert log_in(Client()).status_code == 302

    def test_is_reset_by_a_command(self, kim: User, device: TOTPDevice) -> None:
        call_command("reset_second_factor", "kim", stdout=StringIO())
        assert log_in(Client()).status_code == 302
        for name in ("kim", "nobody"):
            with pytest.raises(CommandError):
                call_command("reset_second_factor", name)


class TestRequiredSecondFactor:
    @pytest.fixture(autouse=True)
    def required(self, settings: Any) -> None:
        settings.REQUIRE_SECOND_FACTOR = True

    def test_leads_everybody_to_setting_it_up_and_nowhere_else(self, client: Client, kim: User) -> None:
        answer = client.post(
            LOGIN, {"username": "kim", "password": PASSWORD, "next": "/admin/payments/payment/"}, follow=True
        )
        assert answer.redirect_chain[-1][0] == SECOND_FACTOR
        assert "<svg" in answer.content.decode()
        assert "/admin/payments/payment/" not in answer.content.decode()
        assert client.get("/admin/password_change/").status_code == 302
        with time_machine.travel(NOW, tick=False):
            log_in(client)
            set_up(client, code_of(TOTPDevice.objects.get()))
            assert is_in(client)

    def test_sends_a_session_without_a_code_back_to_the_login(
        self, client: Client, device: TOTPDevice
    ) -> None:
        client.force_login(device.user)
        answer = client.get("/admin/payments/payment/", follow=True)
        assert answer.redirect_chain[-1][0].startswith(LOGIN)
        assert "Log in again with the code" in answer.content.decode()

    def test_lets_whoever_cannot_set_it_up_log_out(self, client: Client, kim: User) -> None:
        client.force_login(kim)
        client.post("/admin/logout/")
        assert "_auth_user_id" not in client.session


class TestSessions:
    def test_end_half_an_hour_after_the_last_request(self, client: Client, kim: User) -> None:
        with time_machine.travel(NOW, tick=False) as clock:
            log_in(client)
            for _ in range(4):
                clock.shift(timedelta(minutes=20))
                assert is_in(client)
            clock.shift(timedelta(minutes=30, seconds=1))
            assert not is_in(client)

    def test_end_with_the_browser_and_are_no_scripts_business(self, client: Client, kim: User) -> None:
        log_in(client)
        cookie = client.cookies["sessionid"]
        assert (cookie["max-age"], cookie["expires"], cookie["httponly"]) == ("", "", True)
        assert cookie["samesite"] == "Lax"

    def test_are_written_once_a_minute_at_most(
        self, client: Client, kim: User, django_assert_num_queries: Any
    ) -> None:
        with time_machine.travel(NOW, tick=False) as clock:
            log_in(client)
            clock.shift(timedelta(minutes=5))
            client.get("/admin/jsi18n/")
            clock.shift(timedelta(seconds=59))
            with django_assert_num_queries(2):  # the session and the user are read
                client.get("/admin/jsi18n/")
