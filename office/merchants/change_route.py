"""A merchant's routes in the back office: which bank serves which currency, and changing it."""

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
    """One line a route. Needs `routes` prefetched."""
    found = sorted(merchant.routes.all(), key=lambda route: (route.mode, route.currency))
    return format_html_join("", "<div>{} {}: {}</div>", ((one.mode, one.currency, one.bank) for one in found))


class RouteForm(ReasonForm):
    """Which route, and the bank it is to lead to."""

    route = forms.ChoiceField(
        label="Payments in",
        choices=[
            (f"{mode} {currency}", f"{currency}, {mode} mode") for mode in Mode for currency in Currency
        ],
    )
    bank = forms.ChoiceField(label="Go to", help_text="Payments that have begun keep their bank.")
    field_order = ("route", "bank", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = sorted({bank for mode in Mode for currency in Currency for bank in banks_for(mode, currency)})
        bank: Any = self.fields["bank"]
        bank.choices = [*((name, name) for name in names), (NO_BANK, "no bank: refuse new payments")]

    def clean(self) -> dict[str, Any]:
        """With `mode`, `currency` and the `bank` that can serve them, or None."""
        cleaned = super().clean()
        mode, _, currency = cleaned.get("route", "").partition(" ")
        bank = cleaned.get("bank")
        if mode and bank not in (None, NO_BANK, *(able := banks_for(Mode(mode), Currency(currency)))):
            remedy = f"Banks that do: {', '.join(able)}." if able else "No bank does."
            self.add_error("bank", f"{bank} does not take {currency} in {mode} mode. {remedy}")
        return cleaned | {"mode": mode, "currency": currency, "to": None if bank == NO_BANK else bank}


def view(request: HttpRequest, merchant_id: int, **_: Any) -> HttpResponse:
    """Changing a route, as every decision is made."""
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
            else "The route was like this already."
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
        new = f"New payments in {given['currency']} are answered 400 in {given['mode']} mode."
    else:
        new = f"New payments in {given['currency']} go to {given['to']} in {given['mode']} mode."
    return [
        ("New payments", new),
        ("Begun payments", "Stay at their bank: captures, voids and refunds go there."),
        ("When", "From the next request on."),
    ]
