"""The back office's search, brought up to date in tests: in life `manage.py search --watch` does it."""

from typing import Any

from django.test import Client

from office.search.fill import fill
from payments.models import Payment


def make_searchable() -> None:
    """Have all payments found, also those that were made up and have no events."""
    fill(list(Payment.objects.values_list("pk", flat=True)))


class BackOfficeClient(Client):
    """A browser in front of a back office whose search is up to date at every request.

    Whoever counts statements calls `make_searchable` first and sets `is_followed` to False.
    """

    is_followed = True

    def request(self, **request: Any) -> Any:
        if self.is_followed:
            make_searchable()
        return super().request(**request)
