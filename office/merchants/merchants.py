"""The lists of merchants with their routes, and of API keys. A key's digest is never shown."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from office.merchants import change_fees, change_route, issue_key, limits
from office.pages.books import FEES
from office.pages.read_only import ReadOnlyAdmin
from office.pages.words import BAD, GOOD, NOTHING, label, utc
from payments.domain.scopes import Scope
from payments.models import ApiKey, Merchant


@admin.register(Merchant)
class MerchantAdmin(ReadOnlyAdmin[Merchant]):
    list_display = ("name", "slug", "routes", "limits", "active", "created")
    ordering = ("name",)
    nothing_yet = "`manage.py seed` creates the first merchant, `manage.py create_merchant` others."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Merchant]:
        return super().get_queryset(request).prefetch_related("routes", "rate_limits")

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        links = {
            "change_route": change_route.CHANGE,
            "change_fees": FEES,
            "change_limits": limits.CHANGE,
            "issue_key": issue_key.ISSUE,
        }
        return (
            *self.list_display,
            *(name for name, needed in links.items() if request.user.has_perm(needed)),
        )

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (
            ("<int:merchant_id>/route/", "payments_change_route", change_route.view),
            ("<int:merchant_id>/fees/", "payments_change_fees", change_fees.view),
            ("<int:merchant_id>/limits/", "payments_change_limits", limits.view),
            ("<int:merchant_id>/issue-key/", "payments_issue_key", issue_key.issue),
        )

    @admin.display(description="Routes")
    def routes(self, merchant: Merchant) -> SafeString:
        return change_route.as_list(merchant)

    @admin.display(description="")
    def change_route(self, merchant: Merchant) -> SafeString:
        return _link("Change a route…", "admin:payments_change_route", merchant.pk)

    @admin.display(description="Requests in 60 s")
    def limits(self, merchant: Merchant) -> SafeString:
        return limits.as_list(merchant)

    @admin.display(description="")
    def change_limits(self, merchant: Merchant) -> SafeString:
        return _link("Change limits…", "admin:payments_change_limits", merchant.pk)

    @admin.display(description="")
    def issue_key(self, merchant: Merchant) -> SafeString:
        return _link("Issue a key…", "admin:payments_issue_key", merchant.pk)

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
    list_display = (
        *("key", "merchant", "mode_label", "key_name", "may", "state"),
        *("last_used", "created", "expires", "disabled"),
    )
    list_select_related = ("merchant",)
    ordering = ("merchant__name", "mode", "-created_at")
    nothing_yet = (
        "“Issue a key” at a merchant issues one, or `manage.py issue_api_key <merchant> --mode live`."
    )

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        links = (("rotate", issue_key.ISSUE), ("disable", "payments.disable_apikey"))
        return (*self.list_display, *(name for name, needed in links if request.user.has_perm(needed)))

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (("<int:key_id>/rotate/", "payments_rotate_key", issue_key.rotate),)

    @admin.display(description="Key")
    def key(self, key: ApiKey) -> str:
        return str(key)

    @admin.display(description="Mode")
    def mode_label(self, key: ApiKey) -> SafeString:
        return label(key.mode)

    @admin.display(description="State")
    def state(self, key: ApiKey) -> SafeString:
        state = key.state_at(timezone.now())
        return label(state, GOOD if state == ApiKey.State.ACTIVE else BAD)

    @admin.display(description="Name")
    def key_name(self, key: ApiKey) -> str:
        return key.name or NOTHING

    @admin.display(description="Scopes")
    def may(self, key: ApiKey) -> str:
        return "all" if len(key.scopes) == len(Scope) else ", ".join(key.scopes)

    @admin.display(description="Last used")
    def last_used(self, key: ApiKey) -> str:
        return utc(key.last_used_at)

    @admin.display(description="Expires")
    def expires(self, key: ApiKey) -> str:
        return utc(key.expires_at)

    @admin.display(description="Created")
    def created(self, key: ApiKey) -> str:
        return utc(key.created_at)

    @admin.display(description="Disabled")
    def disabled(self, key: ApiKey) -> str:
        return utc(key.disabled_at)

    @admin.display(description="")
    def disable(self, key: ApiKey) -> SafeString | str:
        return "" if key.disabled_at else _link("Disable…", "admin:payments_disable_key", key.pk)

    @admin.display(description="")
    def rotate(self, key: ApiKey) -> SafeString | str:
        is_active = key.state_at(timezone.now()) == ApiKey.State.ACTIVE
        return _link("Rotate…", "admin:payments_rotate_key", key.pk) if is_active else ""


def _link(text: str, name: str, pk: int) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse(name, args=[pk]), text)
