"""The lists of merchants with their routes, and of API keys. A key's digest is never shown."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from office.merchants import change_fees, change_route
from office.pages.books import FEES
from office.pages.read_only import ReadOnlyAdmin
from office.pages.words import BAD, GOOD, label, utc
from payments.models import ApiKey, Merchant


@admin.register(Merchant)
class MerchantAdmin(ReadOnlyAdmin[Merchant]):
    list_display = ("name", "slug", "routes", "active", "created")
    ordering = ("name",)
    nothing_yet = "`manage.py seed` creates the first merchant."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Merchant]:
        return super().get_queryset(request).prefetch_related("routes")

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        may = {"change_route": change_route.CHANGE, "change_fees": FEES}
        return (*self.list_display, *(name for name, needed in may.items() if request.user.has_perm(needed)))

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (
            ("<int:merchant_id>/route/", "payments_change_route", change_route.view),
            ("<int:merchant_id>/fees/", "payments_change_fees", change_fees.view),
        )

    @admin.display(description="Routes")
    def routes(self, merchant: Merchant) -> SafeString:
        return change_route.as_list(merchant)

    @admin.display(description="")
    def change_route(self, merchant: Merchant) -> SafeString:
        return format_html(
            '<a href="{}">Change a route…</a>', reverse("admin:payments_change_route", args=[merchant.pk])
        )

    @admin.display(description="")
    def change_fees(self, merchant: Merchant) -> SafeString:
        return format_html(
            '<a href="{}">Fees…</a>', reverse("admin:payments_change_fees", args=[merchant.pk])
        )

    @admin.display(description="API keys")
    def active(self, merchant: Merchant) -> SafeString:
        return label("active", GOOD) if merchant.is_active else label("disabled", BAD)

    @admin.display(description="Created")
    def created(self, merchant: Merchant) -> str:
        return utc(merchant.created_at)


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin[ApiKey]):
    list_display = ("key", "merchant", "mode_label", "state", "created", "disabled")
    list_select_related = ("merchant",)
    ordering = ("merchant__name", "mode", "-created_at")
    nothing_yet = "`manage.py issue_api_key <merchant> --mode live` issues one and shows it once."

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        may = request.user.has_perm("payments.disable_apikey")
        return (*self.list_display, "disable") if may else self.list_display

    @admin.display(description="Key")
    def key(self, key: ApiKey) -> str:
        return str(key)

    @admin.display(description="Mode")
    def mode_label(self, key: ApiKey) -> SafeString:
        return label(key.mode)

    @admin.display(description="State")
    def state(self, key: ApiKey) -> SafeString:
        return label("active", GOOD) if key.disabled_at is None else label("disabled", BAD)

    @admin.display(description="Created")
    def created(self, key: ApiKey) -> str:
        return utc(key.created_at)

    @admin.display(description="Disabled")
    def disabled(self, key: ApiKey) -> str:
        return utc(key.disabled_at)

    @admin.display(description="")
    def disable(self, key: ApiKey) -> SafeString | str:
        if key.disabled_at is not None:
            return ""
        return format_html('<a href="{}">Disable…</a>', reverse("admin:payments_disable_key", args=[key.pk]))
