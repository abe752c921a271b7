"""Staff in front of the back office, without a browser."""

import html
import re
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import Permission, User
from django.template.response import TemplateResponse
from django.urls import reverse

from payments.models import Payment
from tests.support.searchable import BackOfficeClient

LIST = "admin:payments_payment_changelist"
PAGE = "admin:payments_payment_change"


class Staff:
    """A member of staff, signed in."""

    def __init__(self, user: User) -> None:
        self.client = BackOfficeClient()
        self.client.force_login(user)

    def payments(self, **query: Any) -> str:
        """The list of payments as text."""
        return self.read(reverse(LIST), **query)

    def page(self, payment: Payment) -> str:
        """The payment's page as text."""
        return self.read(reverse(PAGE, args=[payment.pk]))

    def read(self, path: str, **query: Any) -> str:
        response = self.client.get(path, query_params=query)
        assert response.status_code == 200, response
        return text_of(response.content.decode())

    def found(self, **query: Any) -> list[str]:
        """The orders in the list, in its order. The page around them is not made: `payments` reads it."""
        with mock.patch.object(TemplateResponse, "rendered_content", ""):
            response = self.client.get(reverse(LIST), query_params=query)
        assert response.status_code == 200, response
        return [payment.order_id for payment in response.context_data["cl"].result_list]


def text_of(page: str) -> str:
    """What a page shows, without its tags, as one line."""
    body = page.partition("<body")[2]
    shown = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", body, flags=re.DOTALL)
    return " ".join(html.unescape(shown).split())


@pytest.fixture
def superuser(db: None) -> Staff:
    return Staff(User.objects.create_superuser("ada", password="x"))


@pytest.fixture
def support(db: None) -> Staff:
    """Someone who may look at payments and nothing else."""
    user = User.objects.create_user("kim", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_payment"))
    return Staff(user)


@pytest.fixture
def stranger(db: None) -> Staff:
    """Someone on the staff who was given nothing."""
    return Staff(User.objects.create_user("joe", password="x", is_staff=True))
