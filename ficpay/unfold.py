"""The settings of unfold, the back office's theme."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy


def _style(_request: HttpRequest) -> str:
    return static("office/admin.css")


def _colors(_request: HttpRequest) -> str:
    return reverse("admin:colors")


def _htmx(_request: HttpRequest) -> str:
    return static("office/htmx.js")


def _script(_request: HttpRequest) -> str:
    return static("office/admin.js")


def _dashboard_style(_request: HttpRequest) -> str:
    return static("office/dashboard.css")


def _decisions_style(_request: HttpRequest) -> str:
    return static("office/decisions.css")


def _books_style(_request: HttpRequest) -> str:
    return static("office/books.css")


def _icon(_request: HttpRequest) -> str:
    return static("payments/icon.svg")


def _item(title: str, icon: str, app: str, model: str, *, permission: str = "") -> dict[str, Any]:
    """A list in the sidebar, shown to users with the permission."""
    needed = f"{app}.{permission or f'view_{model}'}"
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{model}_changelist"),
        "permission": lambda request: request.user.has_perm(needed),
    }


def _is_of_payments(request: HttpRequest) -> bool:
    """Whether a page of payments is open. The review queue's URL lies below, but it has its own item."""
    path, own = request.path, reverse("admin:payments_payment_changelist")
    return path.startswith(own) and path != reverse("admin:payments_review_queue")


def _book(title: str, icon: str, url_name: str) -> dict[str, Any]:
    """A page of the books in the sidebar."""
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{url_name}"),
        "permission": lambda request: request.user.has_perm("reconciliation.view_reconciliation"),
    }


def _is_of_settlements(request: HttpRequest) -> bool:
    """Whether a page of settlements is open. The ledger's URL lies below, but it has its own item."""
    path, own = request.path, reverse("admin:reconciliation_settlement_changelist")
    return path.startswith(own) and path != reverse("admin:reconciliation_ledger")


def _item_for_superusers(title: str, icon: str, model: str) -> dict[str, Any]:
    return _item(title, icon, "auth", model) | {"permission": lambda request: request.user.is_superuser}


UNFOLD = {
    "SITE_TITLE": "FicPay",
    "SITE_HEADER": "FicPay",
    "SITE_SUBHEADER": "Payments back office",
    "SITE_SYMBOL": "account_balance",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _icon}],
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "office.dashboard.add_dashboard",
    "STYLES": [_colors, _style, _dashboard_style, _decisions_style, _books_style],
    "SCRIPTS": [_htmx, _script],
    "COLORS": {
        # Blue instead of unfold's default purple.
        "primary": {
            "50": "oklch(97% .014 254.604)",
            "100": "oklch(93.2% .032 255.585)",
            "200": "oklch(88.2% .059 254.128)",
            "300": "oklch(80.9% .105 251.813)",
            "400": "oklch(70.7% .165 254.624)",
            "500": "oklch(62.3% .214 259.815)",
            "600": "oklch(54.6% .245 262.881)",
            "700": "oklch(48.8% .243 264.376)",
            "800": "oklch(42.4% .199 265.638)",
            "900": "oklch(37.9% .146 265.522)",
            "950": "oklch(28.2% .091 267.935)",
        },
    },
    "SIDEBAR": {
        "navigation": [
            {
                "items": [
                    {"title": "Dashboard", "icon": "dashboard", "link": reverse_lazy("admin:index")},
                    _item("Payments", "payments", "payments", "payment") | {"active": _is_of_payments},
                    {
                        "title": "Review queue",
                        "icon": "rule",
                        "link": reverse_lazy("admin:payments_review_queue"),
                        # The number of proposals that wait for a second person.
                        "badge": "office.decisions.waiting.badge",
                        "badge_variant": "warning",
                        "permission": lambda request: request.user.has_perm("payments.view_payment"),
                    },
                    _item("Merchants", "storefront", "payments", "merchant"),
                    _item("API keys", "key", "payments", "apikey"),
                    {
                        "title": "Schedules",
                        "icon": "schedule",
                        "link": reverse_lazy("schedules"),
                        "permission": lambda request: request.user.has_perm("payments.view_schedules"),
                    },
                ]
            },
            {
                "title": "Books",
                "items": [
                    _book("Differences", "difference", "reconciliation_difference_changelist")
                    | {"badge": "office.differences.badge.badge", "badge_variant": "warning"},
                    _book("Reconciliations", "fact_check", "reconciliation_run_changelist"),
                    _book("Statements", "receipt_long", "reconciliation_statementfile_changelist"),
                    _book("Ledger", "menu_book", "reconciliation_ledger"),
                    _book("Settlements", "account_balance_wallet", "reconciliation_settlement_changelist")
                    | {"active": _is_of_settlements},
                ],
            },
            {
                "title": "Staff",
                "items": [
                    _item_for_superusers("Users", "person", "user"),
                    _item_for_superusers("Groups", "group", "group"),
                    _item("Log", "history", "payments", "event", permission="view_staff_log"),
                ],
            },
        ],
    },
}
