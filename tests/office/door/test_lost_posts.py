"""What is sent by a session that has ended: after the login one is where one was, and is told."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from payments.models import Assignment, Event
from tests.office.door.doors import Objects
from tests.office.door.doors import objects as objects  # noqa: PLC0414 - a fixture
from tests.office.door.logins import LOGIN, PASSWORD
from tests.office.pages.conftest import text_of
from tests.support.searchable import make_searchable

PAYMENTS = "/admin/payments/payment/"
LOG = "/admin/payments/event/"
ASK_AGAIN = "You had to log in again, so your last action was not sent. Please repeat it."


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_superuser("ada", password=PASSWORD)


def send_and_log_in(path: str, form: dict[str, str]) -> tuple[str, str]:
    """Where whoever sends the form without a session arrives after the login, and what stands there."""
    client = Client()
    asked_for_login = client.post(path, form, follow=True)
    credentials = {"username": "ada", "password": PASSWORD, "next": asked_for_login.context["next"]}
    arrived = client.post(LOGIN, credentials, follow=True)
    assert arrived.status_code == 200, arrived
    return arrived.redirect_chain[-1][0], text_of(arrived.content.decode())


@pytest.mark.usefixtures("ada")
class TestWhatIsSentWithoutASession:
    @pytest.mark.parametrize(
        ("path", "form", "arrives_at"),
        [
            (f"{PAYMENTS}search/", {"q": "order-1"}, PAYMENTS),
            (f"{PAYMENTS}search/?state=CAPTURED&p=2", {"q": "order-1"}, f"{PAYMENTS}?state=CAPTURED"),
            (f"{PAYMENTS}export/?q=kim&mode=live", {"reason": "x"}, f"{PAYMENTS}?q=kim&mode=live"),
            (f"{LOG}search/?actor=kim", {"actor": "lee"}, f"{LOG}?actor=kim"),
        ],
    )
    def test_leads_back_to_the_list_as_it_was(self, path: str, form: dict[str, str], arrives_at: str) -> None:
        address, shown = send_and_log_in(path, form)
        assert address == arrives_at
        assert ASK_AGAIN in shown
        assert not Event.objects.exists()

    def test_leads_to_the_page_whose_button_was_pressed(self, objects: Objects) -> None:
        address, shown = send_and_log_in(f"{PAYMENTS}operations/{objects.operation.pk}/take/", {})
        assert address == f"{PAYMENTS}review/"
        assert "You had to log in again" in shown
        assert not Assignment.objects.exists()


class TestTheFormsOfTheLists:
    def test_send_along_what_the_list_shows(self, admin_client: Client, objects: Objects) -> None:
        make_searchable()
        page = admin_client.get(f"{PAYMENTS}?state=CAPTURED&mode=live").content.decode()
        assert page.count('/?state=CAPTURED&amp;mode=live"') == 2  # the search and the export
        assert 'search/?type=note.added"' in admin_client.get(f"{LOG}?type=note.added").content.decode()
