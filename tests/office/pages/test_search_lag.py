"""The back office says whether its search is up to date."""

from datetime import UTC, datetime, timedelta

import pytest

from payments.models import Event, Heartbeat
from tests.office.pages.conftest import Staff
from tests.support.factories import EventFactory, PaymentFactory
from tests.support.searchable import make_searchable
from tests.support.unguarded import unguarded

PAGES = ("/admin/payments/payment/", "/admin/")


@pytest.mark.parametrize("page", PAGES)
def test_is_said_where_there_is_none(support: Staff, page: str) -> None:
    PaymentFactory()
    assert "Search is up to date." in support.read(page)


@pytest.mark.parametrize("page", PAGES)
def test_is_said_in_seconds(support: Staff, page: str) -> None:
    at = datetime.now(UTC) - timedelta(seconds=75)
    EventFactory(payment=PaymentFactory(created_at=at), type=Event.Type.PAYMENT_CREATED, at=at)
    shown = support.read(page)
    assert "Search is 1 min behind: newer changes are not found or counted yet." in shown
    assert "Search is up to date" not in shown


def test_leaves_what_is_shown_as_it_is(superuser: Staff) -> None:
    """A payment that is found by what it was a moment ago is shown as it is."""
    payment = PaymentFactory(order_id="order-1")
    make_searchable()
    superuser.client.is_followed = False
    PaymentFactory(order_id="order-2")
    payment.become_failed(at=datetime.now(UTC))
    with unguarded():
        payment.save()
    assert superuser.found(state="PENDING") == ["order-1"]
    assert "FAILED" in superuser.payments(state="PENDING", q="order-1")


def test_of_a_search_that_is_away_is_on_the_page_of_schedules(superuser: Staff) -> None:
    Heartbeat.objects.create(process="search", beat_at=datetime.now(UTC) - timedelta(minutes=6))
    shown = superuser.read("/admin/schedules/")
    assert "search no heartbeat for 6 min" in shown
