"""Nobody changes a payment here, and nobody sees one who may not."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import RequestFactory
from django.urls import NoReverseMatch, reverse

from payments.models import ApiKey, Merchant, Payment
from tests.office.pages.conftest import LIST, PAGE, Staff
from tests.support.factories import ApiKeyFactory, PaymentFactory

RECORDS = [Payment, Merchant, ApiKey]


@pytest.fixture
def payment(db: None) -> Payment:
    return PaymentFactory(order_id="order-1")


class TestReadOnly:
    """Superusers included."""

    @pytest.mark.parametrize("model", RECORDS)
    def test_grants_nothing_but_a_look(self, superuser: Staff, rf: RequestFactory, model: Any) -> None:
        request = rf.get("/")
        request.user = User.objects.get(username="ada")
        page = admin.site.get_model_admin(model)
        assert page.get_model_perms(request) == {"add": False, "change": False, "delete": False, "view": True}
        assert page.get_actions(request) == {}
        assert page.list_editable == ()

    @pytest.mark.parametrize("model", RECORDS)
    def test_refuses_every_form_of_djangos_admin(
        self, superuser: Staff, payment: Payment, model: Any
    ) -> None:
        ApiKeyFactory(merchant=payment.merchant)
        row = model.objects.get()
        before = model.objects.values().get()
        name = f"admin:payments_{model._meta.model_name}"
        addresses = [f"{name}_add", f"{name}_changelist"]
        own = [f"{name}_change", f"{name}_delete", f"{name}_history"]
        paths = [reverse(address) for address in addresses] + [
            reverse(address, args=[row.pk]) for address in own
        ]
        form = {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes", "order_id": "x"}
        for path in paths:
            assert superuser.client.post(path, form).status_code in (403, 404, 405), path
        assert model.objects.values().get() == before
        assert not LogEntry.objects.exists()

    def test_shows_no_form_but_search_export_notes_and_log_out(
        self, superuser: Staff, payment: Payment
    ) -> None:
        for path, forms in ((reverse(LIST), 3), (reverse(PAGE, args=[payment.pk]), 2)):
            page = superuser.client.get(path).content.decode()
            assert page.count("<form") == forms
            assert page.count('id="logout-form"') == 1

    def test_has_no_history_of_edits(self, superuser: Staff, payment: Payment) -> None:
        path = reverse("admin:payments_payment_history", args=[payment.pk])
        assert superuser.client.get(path).status_code == 404


class TestWhoMayLook:
    def test_support_reads_payments_and_nothing_else(self, support: Staff, payment: Payment) -> None:
        assert "order-1" in support.payments()
        assert "order-1" in support.page(payment)
        for name in ("payments_merchant", "payments_apikey", "auth_user", "auth_group"):
            path = reverse(f"admin:{name}_changelist")
            assert support.client.get(path).status_code == 403
            assert path not in support.client.get(reverse(LIST)).content.decode()

    def test_a_stranger_on_the_staff_reads_nothing(self, stranger: Staff, payment: Payment) -> None:
        for path in (reverse(LIST), reverse(PAGE, args=[payment.pk])):
            response = stranger.client.get(path)
            assert response.status_code == 403
            assert "order-1" not in response.content.decode()

    def test_others_are_asked_to_sign_in(self, client: Any, payment: Payment) -> None:
        for path in (reverse(LIST), reverse(PAGE, args=[payment.pk])):
            response = client.get(path)
            assert response.status_code == 302
            assert response["Location"].startswith("/admin/login/")


class TestMerchantsAndKeys:
    def test_never_show_a_digest(self, superuser: Staff) -> None:
        plain = "sk_live_of_the_test"
        key = ApiKeyFactory(plain=plain)
        for name in ("payments_merchant", "payments_apikey"):
            page = superuser.client.get(reverse(f"admin:{name}_changelist")).content.decode()
            assert key.digest not in page
            assert plain not in page
        assert f"sk_live_...{key.last4} FicMart live none all active" in superuser.read(
            "/admin/payments/apikey/"
        )

    @pytest.mark.usefixtures("db")
    def test_say_where_they_come_from(self, superuser: Staff) -> None:
        assert "manage.py seed" in superuser.read("/admin/payments/merchant/")
        assert "manage.py issue_api_key" in superuser.read("/admin/payments/apikey/")


class TestStaff:
    @pytest.mark.parametrize("path", ["/admin/auth/user/add/", "/admin/auth/group/add/", "/admin/auth/user/"])
    def test_is_looked_after_in_the_same_dress(self, superuser: Staff, path: str) -> None:
        page = superuser.client.get(path).content.decode()
        assert "unfold/css/styles.css" in page
        assert "rounded-default" in page

    def test_is_added_with_a_password(self, superuser: Staff) -> None:
        password = "correct horse battery"
        form = {"username": "kim", "usable_password": "true", "password1": password, "password2": password}
        form["reason"] = "she starts on Monday"
        assert superuser.client.post("/admin/auth/user/add/", form).status_code == 302
        assert User.objects.get(username="kim").check_password(password)

    def test_has_times_that_say_their_zone(self, superuser: Staff) -> None:
        ada = User.objects.get()
        ada.last_login, ada.date_joined = None, datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
        ada.save()
        path = reverse("admin:auth_user_change", args=[ada.pk])
        assert "Last login never Date joined 2026-11-21 09:30:00 UTC" in superuser.read(path)
        User.objects.update(last_login=datetime(2026, 11, 22, 8, 15, tzinfo=UTC))
        assert "Last login 2026-11-22 08:15:00 UTC" in superuser.read(path)
        page = superuser.client.get(path).content.decode()
        assert '<time datetime="2026-11-22T08:15:00+00:00">' in page  # which is shown in the reader's zone

    def test_is_not_named_after_a_card_number(self, superuser: Staff) -> None:
        password = "correct horse battery"
        number = "4539578763621486"
        form = {"username": number, "usable_password": "true", "password1": password, "password2": password}
        assert b"looks like a card number" in superuser.client.post("/admin/auth/user/add/", form).content
        assert (
            b"looks like a card number"
            in superuser.client.post("/admin/auth/group/add/", {"name": number}).content
        )
        assert not User.objects.filter(username=number).exists()
        assert not Group.objects.filter(name=number).exists()

    @pytest.mark.parametrize("model", ["schedule", "success", "failure", "ormq"])
    def test_cannot_schedule_functions(self, model: str) -> None:
        with pytest.raises(NoReverseMatch):
            reverse(f"admin:django_q_{model}_changelist")
