"""The page that changes a merchant's route: which bank serves new payments in a mode and currency."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from office.decisions.evidence import CannotResolve
from office.decisions.forms import ReasonForm
from office.decisions.page import Decision, Preview, decision_page
from office.log.actors import staff_of
from office.merchants.routes import NoSuchRoute, change_route
from payments.domain.money import Currency
from payments.domain.states import Mode
from payments.engine.abilities import banks_for
from payments.models import Merchant

CHANGE = "payments.manage_routes"
NO_BANK = "none"


def as_list(merchant: Merchant) -> SafeString:
    """One line per route. Needs `routes` prefetched."""
    found = sorted(merchant.routes.all(), key=lambda route: (route.mode, route.currency))
    return format_html_join("", "<div>{} {}: {}</div>", ((one.mode, one.currency, one.bank) for one in found))


class RouteForm(ReasonForm):
    """The route, and its new bank."""

    route = forms.ChoiceField(
        label="Payments in",
        choices=[
            (f"{mode} {currency}", f"{currency}, {mode} mode") for mode in Mode for currency in Currency
        ],
    )
    bank = forms.ChoiceField(label="Go to", help_text="Existing payments keep their bank.")
    field_order = ("route", "bank", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = sorted({bank for mode in Mode for currency in Currency for bank in banks_for(mode, currency)})
        bank: Any = self.fields["bank"]
        bank.choices = [*((name, name) for name in names), (NO_BANK, "no bank: refuse new payments")]

    def clean(self) -> dict[str, Any]:
        """Adds `mode`, `currency` and `to`: a bank that can serve them, or None."""
        cleaned = super().clean()
        mode, _, currency = cleaned.get("route", "").partition(" ")
        bank = cleaned.get("bank")
        if mode and bank not in (None, NO_BANK, *(able := banks_for(Mode(mode), Currency(currency)))):
            remedy = f"Banks that support it: {', '.join(able)}." if able else "No bank supports it."
            self.add_error("bank", f"{bank} does not support {currency} in {mode} mode. {remedy}")
        return cleaned | {"mode": mode, "currency": currency, "to": None if bank == NO_BANK else bank}


def view(request: HttpRequest, merchant_id: int, **_: Any) -> HttpResponse:
    """The page that changes a route, as a decision with a preview."""
    if not request.user.has_perm(CHANGE):
        raise PermissionDenied
    merchant = get_object_or_404(Merchant.objects.prefetch_related("routes"), pk=merchant_id)

    def change(given: dict[str, Any]) -> str:
        try:
            is_new = change_route(
                staff_of(request),
                slug=merchant.slug,
                mode=Mode(given["mode"]),
                currency=Currency(given["currency"]),
                bank=given["to"],
                reason=given["reason"],
            )
        except NoSuchRoute as no:
            raise CannotResolve(str(no)) from None
        goes = f"go to {given['to']}" if given["to"] else "are refused"
        return (
            f"New payments in {given['currency']} ({given['mode']}) {goes}."
            if is_new
            else "Nothing changed: the route already was as requested."
        )

    return decision_page(
        request,
        Decision(
            title=f"Change a route of {merchant.name}",
            about=[("Merchant", merchant.name), ("Routes", str(as_list(merchant) or "none"))],
            form=RouteForm,
            preview=lambda given: Preview(_consequences(given)),
            decide=change,
            back=reverse("admin:payments_merchant_changelist"),
        ),
    )


def _consequences(given: dict[str, Any]) -> list[tuple[str, str]]:
    if given["to"] is None:
        new = f"New payments in {given['currency']} in {given['mode']} mode get 400."
    else:
        new = f"New payments in {given['currency']} in {given['mode']} mode go to {given['to']}."
    return [
        ("New payments", new),
        ("Existing payments", "Keep their bank. Their captures, voids and refunds go there."),
        ("When", "With the next request."),
    ]
