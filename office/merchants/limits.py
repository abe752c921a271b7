"""The page that changes a merchant's rate limits in one mode."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from office.decisions.forms import ReasonForm
from office.decisions.page import Decision, Preview, decision_page
from office.log.actors import staff_of
from payments.domain.rates import MOST_REQUESTS, WINDOW_SECONDS, Limits
from payments.domain.states import Mode
from payments.models import Merchant
from payments.usecases.merchants import change_limits

CHANGE = "payments.manage_limits"


def as_list(merchant: Merchant) -> SafeString:
    """One line per mode. Needs `rate_limits` prefetched."""
    own = {one.mode: Limits(one.writes, one.reads) for one in merchant.rate_limits.all()}
    lines = ((mode, own.get(mode, settings.RATE_LIMITS)) for mode in Mode)
    return format_html_join(
        "", "<div>{}: {} writes, {} reads</div>", ((mode, one.writes, one.reads) for mode, one in lines)
    )


class LimitsForm(ReasonForm):
    """The mode, and its new limits."""

    mode = forms.ChoiceField(choices=[(mode.value, mode.value) for mode in Mode])
    writes = forms.IntegerField(
        label=f"Writes in {WINDOW_SECONDS} s",
        min_value=1,
        max_value=MOST_REQUESTS,
        help_text="POSTs with a new idempotency key, and DELETEs.",
    )
    reads = forms.IntegerField(
        label=f"Reads in {WINDOW_SECONDS} s",
        min_value=1,
        max_value=MOST_REQUESTS,
        help_text="Retries of POSTs have as many, counted apart.",
    )
    field_order = ("mode", "writes", "reads", "reason")


def view(request: HttpRequest, merchant_id: int, **_: Any) -> HttpResponse:
    """The page that changes the limits, as a decision with a preview."""
    if not request.user.has_perm(CHANGE):
        raise PermissionDenied
    merchant = get_object_or_404(Merchant.objects.prefetch_related("rate_limits"), pk=merchant_id)

    def change(given: dict[str, Any]) -> str:
        is_new = change_limits(
            slug=merchant.slug,
            mode=Mode(given["mode"]),
            limits=Limits(writes=given["writes"], reads=given["reads"]),
            reason=given["reason"],
            by=staff_of(request),
        )
        return (
            f"{merchant.name} may send {given['writes']} writes and {given['reads']} reads in "
            f"{WINDOW_SECONDS} seconds ({given['mode']})."
            if is_new
            else "Nothing changed: the limits already were as requested."
        )

    return decision_page(
        request,
        Decision(
            title=f"Change the rate limits of {merchant.name}",
            about=[("Merchant", merchant.name), ("Limits", as_list(merchant))],
            form=LimitsForm,
            preview=lambda given: Preview(
                [
                    ("When", "With the next request."),
                    (
                        f"Beyond {given['writes']} writes",
                        "Get 429 until the next full minute.",
                    ),
                    (f"Beyond {given['reads']} reads", "The same; retries of POSTs too, counted apart."),
                ]
            ),
            decide=change,
            back=reverse("admin:payments_merchant_changelist"),
        ),
    )
