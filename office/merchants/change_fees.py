"""The page that sets a merchant's fees, as a decision with a preview."""

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
from office.merchants.fees import NoSuchFees, change_fees
from office.pages.books import FEES
from payments.domain.money import Currency, display
from payments.domain.states import Mode
from payments.models import Merchant
from reconciliation.models import FeeTerms

_LARGEST_FIXED = 100_000  # minor units: far above any fee, and below a typing error that hurts


def in_words(basis_points: int, fixed_minor: int, currency: str) -> str:
    """`2.90% and $0.30`; `nothing` if there is no fee."""
    parts = []
    if basis_points:
        parts.append(f"{basis_points // 100}.{basis_points % 100:02d}%")
    if fixed_minor:
        parts.append(display(fixed_minor, currency))
    return " and ".join(parts) or "nothing"


def terms_in_force(merchant: Merchant) -> list[FeeTerms]:
    """The latest terms of each mode and currency that has any."""
    newest = FeeTerms.objects.filter(merchant=merchant).order_by("mode", "currency", "-valid_from")
    return list(newest.distinct("mode", "currency"))


def as_list(merchant: Merchant) -> SafeString:
    """One line for each mode and currency with terms."""
    lines = [
        (one.mode, one.currency, in_words(one.basis_points, one.fixed_minor, one.currency))
        for one in terms_in_force(merchant)
    ]
    return format_html_join("", "<div>{} {}: {}</div>", lines)


class FeesForm(ReasonForm):
    """What the fee is of, and its two parts."""

    of = forms.ChoiceField(
        label="Captures in",
        choices=[
            (f"{mode} {currency}", f"{currency}, {mode} mode") for mode in Mode for currency in Currency
        ],
    )
    basis_points = forms.IntegerField(
        label="Basis points",
        min_value=0,
        max_value=10_000,
        help_text="Hundredths of a percent of the captured amount: 290 is 2.90%.",
    )
    fixed_minor = forms.IntegerField(
        label="And for each capture, in minor units",
        min_value=0,
        max_value=_LARGEST_FIXED,
        help_text="Cents of USD, EUR and GBP; yen of JPY.",
    )
    field_order = ("of", "basis_points", "fixed_minor", "reason")


def view(request: HttpRequest, merchant_id: int, **_: Any) -> HttpResponse:
    if not request.user.has_perm(FEES):
        raise PermissionDenied
    merchant = get_object_or_404(Merchant, pk=merchant_id)

    def change(given: dict[str, Any]) -> str:
        mode, _, currency = given["of"].partition(" ")
        try:
            is_new = change_fees(
                staff_of(request),
                slug=merchant.slug,
                mode=Mode(mode),
                currency=Currency(currency),
                basis_points=given["basis_points"],
                fixed_minor=given["fixed_minor"],
                reason=given["reason"],
            )
        except NoSuchFees as no:
            raise CannotResolve(str(no)) from None
        return "The new fees hold from now on." if is_new else "Nothing changed: these fees hold already."

    return decision_page(
        request,
        Decision(
            title=f"Fees of {merchant.name}",
            about=[("Merchant", merchant.name), ("Fees now", as_list(merchant) or "none")],
            form=FeesForm,
            preview=lambda given: Preview(_consequences(given)),
            decide=change,
            back=reverse("admin:payments_merchant_changelist"),
        ),
    )


def _consequences(given: dict[str, Any]) -> list[tuple[str, str]]:
    mode, _, currency = given["of"].partition(" ")
    basis_points, fixed_minor = given["basis_points"], given["fixed_minor"]
    example, fee = (
        10_000,
        basis_points + fixed_minor,
    )  # of 10,000 minor units a basis point is one: no rounding
    return [
        (
            "New captures",
            f"In {currency} in {mode} mode cost {in_words(basis_points, fixed_minor, currency)}.",
        ),
        ("For example", f"A capture of {display(example, currency)} costs {display(fee, currency)}."),
        ("Earlier captures", "Keep the fees of their time."),
        ("When", "Now. A fee is taken when the capture is settled."),
    ]
