"""What somebody has typed comes back: after a mistake, an answer of no, a new login. And Back shows pages."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from office.decisions import drafts
from payments.models import Event, Payment, Resolution
from tests.office.decisions.members import Member
from tests.office.door.logins import LOGIN
from tests.office.pages.conftest import text_of
from tests.support.at_once import at_once
from tests.support.factories import PaymentFactory

PAGE, NOTE = "admin:payments_payment_change", "admin:payments_add_note"
CARD = "4111 1111 1111 1111"


@pytest.fixture
def kim(transactional_db: None) -> Member:
    return Member("kim", "resolve_operation", "instruct_payment")


@pytest.fixture
def payment(transactional_db: None) -> Payment:
    return PaymentFactory(captured=True)


def kept_anywhere(text: str) -> bool:
    return any(text in str(session.get_decoded()) for session in Session.objects.all())


class TestANote:
    def test_refused_for_a_card_number_keeps_its_text_and_stores_it_nowhere(
        self, payment: Payment, kim: Member
    ) -> None:
        note = f"Two lines.\nThe customer said {CARD}."
        refused = kim.client.post(reverse(NOTE, args=[payment.pk]), {"note": note})
        shown = refused.content.decode()
        assert "This looks like a card number." in shown
        assert note in shown
        assert not kept_anywhere("1111")
        assert not Event.objects.filter(type="note.added").exists()

    def test_sent_twice_at_once_stands_once(self, payment: Payment, kim: Member) -> None:
        def send() -> str:
            client = Client()
            client.force_login(kim.user)
            answer = client.post(reverse(NOTE, args=[payment.pk]), {"note": "She called."}, follow=True)
            return "already" if "It was not added twice" in answer.content.decode() else "noted"

        assert sorted(at_once(send, send, send)) == ["already", "already", "noted"]
        assert Event.objects.filter(type="note.added").count() == 1
        kim.client.post(reverse(NOTE, args=[payment.pk]), {"note": "She called again."})
        assert Event.objects.filter(type="note.added").count() == 2

    def test_keeps_its_lines(self, payment: Payment, kim: Member) -> None:
        kim.client.post(reverse(NOTE, args=[payment.pk]), {"note": "One.\r\nTwo."})
        page = kim.client.get(reverse(PAGE, args=[payment.pk])).content.decode()
        assert "<dd>One.\nTwo.</dd>" in page  # shown as lines by the style sheet


def instruct(payment: Payment) -> str:
    return reverse("admin:payments_instruct", args=[payment.pk, "refund"])


class TestADecision:
    def test_is_followed_by_a_redirect_each_time(self, payment: Payment, kim: Member) -> None:
        """No page of it is the answer to a POST, so the browser's Back has nothing to ask."""
        for sent in ({"reason": ""}, {"reason": "returned"}):
            assert kim.client.post(instruct(payment), sent).status_code == 302

    def test_that_was_made_leads_back_to_the_payment(
        self, payment: Payment, kim: Member, settings: Any
    ) -> None:
        settings.FOUR_EYES_ABOVE = {"USD": 0}
        preview = kim.client.post(instruct(payment), {"reason": "returned"})["Location"]
        assert "What will happen" in kim.client.get(preview).content.decode()
        done = kim.client.post(preview, {"reason": "returned", "confirmed": "yes"})
        assert done["Location"] == reverse(PAGE, args=[payment.pk])
        assert Resolution.objects.get().state == "PROPOSED"
        Resolution.objects.update(
            state="REFUSED", decided_at=datetime.now().astimezone(), decided_by=kim.user
        )
        back = kim.client.get(preview)
        assert back["Location"] == reverse(PAGE, args=[payment.pk])

    def test_that_is_refused_at_last_keeps_what_was_typed(
        self, payment: Payment, kim: Member, settings: Any
    ) -> None:
        """The bank has been asked since the page was made, say."""
        stray = reverse("admin:payments_void_stray_hold")
        given = {"bank": "ficmart", "reference": "auth_1", "reason": "on statement 324"}
        PaymentFactory(authorized=True, bank_authorization_id="auth_1")
        refused = kim.client.post(stray, given | {"confirmed": "yes"}, follow=True).content.decode()
        assert "Nothing changed." in refused
        assert "on statement 324" in refused
        assert "What will happen" not in refused

    def test_with_a_card_number_comes_back_filled_and_is_stored_nowhere(
        self, payment: Payment, kim: Member
    ) -> None:
        answer = kim.client.post(instruct(payment), {"reason": f"card {CARD}"})
        assert answer.status_code == 200
        assert f"card {CARD}" in answer.content.decode()
        assert not kept_anywhere("1111")

    def test_of_another_page_is_not_shown(self, payment: Payment, kim: Member) -> None:
        token = kim.client.post(instruct(payment), {"reason": "returned"})["Location"].partition("?")[2]
        other = reverse("admin:payments_void_stray_hold")
        assert kim.client.get(f"{other}?{token}").status_code == 302

    def test_only_the_newest_few_are_kept(self, payment: Payment, kim: Member) -> None:
        for number in range(9):
            kim.client.post(instruct(payment), {"reason": f"reason {number}"})
        assert kept_anywhere("reason 8")
        assert not kept_anywhere("reason 3")


class TestASessionThatHasEnded:
    @pytest.mark.parametrize("page", ["note", "refund"])
    def test_brings_the_form_back_filled(self, payment: Payment, kim: Member, page: str) -> None:
        """Through a wrong password, too; and nothing is done before it is sent again."""
        kim.user.set_password("right")
        kim.user.save()
        address, field = {
            "note": (reverse(NOTE, args=[payment.pk]), "note"),
            "refund": (instruct(payment), "reason"),
        }[page]
        client = Client()
        login = client.post(address, {field: "One.\r\nTwo.", "confirmed": "yes"})
        assert "Please log in again. Your input comes back after the login" in text_of(login.content.decode())
        assert not Session.objects.filter(expire_date__gt=datetime.now().astimezone() + timedelta(days=1))
        sent = {"username": "kim", "next": login.context["next"], "typed": login.context["typed"]}
        wrong = client.post(LOGIN, sent | {"password": "wrong"})
        sent["typed"] = wrong.context["typed"]
        back = client.post(LOGIN, sent | {"password": "right"}, follow=True)
        shown = back.content.decode()
        assert back.redirect_chain[-1][0].startswith(f"{address}?draft=")
        assert drafts.LOGGED_IN_AGAIN in shown
        assert "One.\nTwo." in shown.replace("\r", "")
        assert not Event.objects.exists()
        assert not Resolution.objects.exists()

    def test_that_was_opened_anew_in_another_tab_brings_the_form_back_filled(
        self, payment: Payment, kim: Member
    ) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(kim.user)
        old = client.post(reverse(NOTE, args=[payment.pk]), {"note": "One."}, follow=True)
        assert drafts.WAS_TOO_OLD in old.content.decode()
        assert "One." in old.content.decode()
        assert not Event.objects.exists()
        stranger = Client(enforce_csrf_checks=True)
        assert stranger.post(reverse(NOTE, args=[payment.pk]), {"note": "One."}).status_code == 403
        card = client.post(reverse(NOTE, args=[payment.pk]), {"note": f"card {CARD}"})
        assert (card.status_code, kept_anywhere("1111")) == (403, False)

    def test_carries_no_card_number_and_nothing_that_was_not_typed(
        self, payment: Payment, kim: Member
    ) -> None:
        login = Client().post(reverse(NOTE, args=[payment.pk]), {"note": f"card {CARD}"})
        assert CARD not in login.content.decode()
        assert login.context["typed"] == ""

    @pytest.mark.parametrize("typed", ["", "{", "[]", '{"note": 1}', "{}", '{"note": "4111111111111111"}'])
    def test_takes_nothing_else_that_is_sent_to_the_login(
        self, payment: Payment, kim: Member, typed: str
    ) -> None:
        kim.user.set_password("right")
        kim.user.save()
        address = reverse(NOTE, args=[payment.pk])
        sent = {"username": "kim", "password": "right", "next": address, "typed": typed}
        assert Client().post(LOGIN, sent)["Location"] == address
