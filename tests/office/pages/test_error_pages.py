"""What went wrong is told in plain words, with a way back, and within the content security policy."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.office.pages.conftest import Staff, text_of


@pytest.fixture
def nobody(db: None) -> Staff:
    return Staff(User.objects.create_user("nob", password="x", is_staff=True))


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/admin/payments/payment/", 403, "Permission required"),
        ("/admin/nowhere/", 404, "Page not found"),
    ],
)
def test_is_told_in_plain_words(nobody: Staff, path: str, status: int, words: str) -> None:
    answer = nobody.client.get(path)
    assert answer.status_code == status
    shown = text_of(answer.content.decode())
    assert words in shown
    assert "Back office" in shown
    assert b"<style" not in answer.content


def test_a_list_asked_for_what_it_does_not_know_says_so(superuser: Staff) -> None:
    answer = superuser.client.get("/admin/payments/apikey/", {"digest": "x"})
    assert answer.status_code == 400
    assert "Invalid request" in text_of(answer.content.decode())


def test_a_form_that_is_too_old_says_what_to_do(superuser: Staff) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get())
    answer = client.post("/admin/payments/payment/export/", {"reason": "x"})
    assert answer.status_code == 403
    assert "This form has expired" in text_of(answer.content.decode())
    assert b"<style" not in answer.content
