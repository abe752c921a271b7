"""Members of staff in front of the pages on which they decide, without a browser."""

from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from tests.office.pages.conftest import text_of

QUEUE = "admin:payments_review_queue"


class Member:
    """A member of staff with some permissions, signed in."""

    def __init__(self, name: str, *permissions: str) -> None:
        self.user = User.objects.create_user(name, password="x", is_staff=True)
        self.user.user_permissions.set(Permission.objects.filter(codename__in=["view_payment", *permissions]))
        self.client = Client()
        self.client.force_login(self.user)

    def read(self, name: str, *args: Any) -> str:
        response = self.client.get(reverse(name, args=args))
        assert response.status_code == 200, response
        return text_of(response.content.decode())

    def decide(self, name: str, *args: Any, seen: Any = "", **given: Any) -> str:
        """Fill in the form, look at what will happen, confirm; what the next page shows."""
        address = reverse(name, args=args)
        preview = self.client.post(address, {"seen": seen, **given}, follow=True)
        assert "What will happen" in text_of(preview.content.decode()), text_of(preview.content.decode())
        done = self.client.post(address, {"seen": seen, **given, "confirmed": "yes"}, follow=True)
        assert done.status_code == 200, done
        return text_of(done.content.decode())

    def confirm(self, name: str, *args: Any, seen: Any = "", **given: Any) -> None:
        """The same without a look at any page, for decisions that only lead to what a test is about."""
        address = reverse(name, args=args)
        answer = self.client.post(address, {"seen": seen, **given, "confirmed": "yes"})
        assert answer.status_code == 302
        assert answer["Location"] != address, "it comes back, with what is wrong"
