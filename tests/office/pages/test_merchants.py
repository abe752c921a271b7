"""Merchants' API keys and rate limits in the back office: issued, rotated and changed, each with a reason."""

import re
from typing import Any

import pytest
from django.urls import reverse

from payments.domain.rates import Limits
from payments.domain.scopes import Scope
from payments.domain.states import Mode
from payments.models import ApiKey, Event, Merchant, RateLimit
from payments.usecases.merchants import find_api_key, limits_of
from tests.office.pages.conftest import Staff
from tests.support.factories import ApiKeyFactory, MerchantFactory

SCOPES = {f"scope_{scope.name.lower()}": "on" for scope in Scope}


@pytest.fixture
def merchant(db: None) -> Merchant:
    return MerchantFactory()


def confirmed(staff: Staff, path: str, **form: Any) -> Any:
    """Fill in the form, look at the preview, confirm; the response to the confirmation."""
    draft = staff.client.post(path, form)
    assert draft.status_code == 302
    preview = staff.client.get(draft["Location"]).content.decode()
    assert "What will happen" in preview, preview
    return staff.client.post(draft["Location"], {**form, "confirmed": "yes"}), draft["Location"]


def key_in(page: str) -> str:
    found = re.search(r"sk_(?:live|test)_[\w-]{43}", page)
    assert found, page
    return found.group()


class TestIssuing:
    def test_shows_the_key_once_and_logs_it(self, superuser: Staff, merchant: Merchant) -> None:
        path = reverse("admin:payments_issue_key", args=[merchant.pk])
        form = {"mode": "test", "name": "reports", "scope_payments_read": "on", "reason": "for the auditors"}
        response, address = confirmed(superuser, path, **form, expires_in_days="30")
        plain = key_in(response.content.decode())
        assert "no-store" in response["Cache-Control"]
        key = find_api_key(plain)
        assert key is not None
        assert (key.mode, key.name, key.scopes) == ("test", "reports", ["payments:read"])
        assert key.expires_at is not None
        event = Event.objects.get(type=Event.Type.API_KEY_CREATED)
        assert (event.evidence["reason"], event.evidence["key"]) == ("for the auditors", str(key))
        assert plain not in str(list(Event.objects.values())) + str(dict(superuser.client.session))
        again = superuser.client.post(address, {**form, "confirmed": "yes"}, follow=True)
        assert "already issued and shown" in again.content.decode()
        assert ApiKey.objects.count() == 1

    def test_needs_a_scope_and_a_reason(self, superuser: Staff, merchant: Merchant) -> None:
        path = reverse("admin:payments_issue_key", args=[merchant.pk])
        draft = superuser.client.post(path, {"mode": "test", "name": "n"})
        page = superuser.client.get(draft["Location"]).content.decode()
        assert "Choose at least one scope." in page
        assert "This field is required." in page
        assert not ApiKey.objects.exists()


class TestRotating:
    def test_gives_a_new_key_and_an_end_to_the_old_one(self, superuser: Staff, merchant: Merchant) -> None:
        old = ApiKeyFactory(merchant=merchant, name="shop")
        path = reverse("admin:payments_rotate_key", args=[old.pk])
        response, _ = confirmed(superuser, path, overlap_hours="2", reason="once a year")
        new = find_api_key(key_in(response.content.decode()))
        assert new is not None
        assert (new.name, new.replaces) == ("shop", old)
        old.refresh_from_db()
        assert old.expires_at is not None
        event = Event.objects.get(type=Event.Type.API_KEY_ROTATED)
        assert event.evidence["replaces"] == str(old)
        assert "Rotated an API key" in superuser.read("/admin/payments/event/")

    def test_is_refused_for_a_key_that_has_ended(self, superuser: Staff, merchant: Merchant) -> None:
        old = ApiKeyFactory(merchant=merchant, disabled_at=merchant.created_at)
        path = reverse("admin:payments_rotate_key", args=[old.pk])
        superuser.client.post(path, {"overlap_hours": "2", "reason": "r", "confirmed": "yes"})
        assert ApiKey.objects.count() == 1


class TestLimits:
    def test_are_changed_with_a_reason(self, superuser: Staff, merchant: Merchant) -> None:
        path = reverse("admin:payments_change_limits", args=[merchant.pk])
        response, _ = confirmed(superuser, path, mode="live", writes="7", reads="8", reason="Christmas")
        assert response.status_code == 302
        assert limits_of(merchant, Mode.LIVE) == Limits(writes=7, reads=8)
        assert RateLimit.objects.count() == 1
        assert "live: 7 writes, 8 reads" in superuser.read("/admin/payments/merchant/")
        log = superuser.read("/admin/payments/event/")
        assert "Changed rate limits" in log
        assert "live limits of ficmart" in log
        assert "Christmas" in log


class TestTheListOfKeys:
    def test_shows_what_a_key_may_do_and_whether_it_is_used(
        self, superuser: Staff, merchant: Merchant
    ) -> None:
        ApiKeyFactory(merchant=merchant, name="reports", scopes=["payments:read"], plain="sk_live_xxxxABCD")
        page = superuser.read("/admin/payments/apikey/")
        assert "sk_live_...ABCD FicMart live reports payments:read active none" in page
