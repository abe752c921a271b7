"""Payments in the back office: found by any scrap, shown with everything that happened to them."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST, require_safe

from payments.admin import search
from payments.admin.filters import CreatedFilter, MerchantFilter, ModeFilter, StateFilter
from payments.admin.reached import DeclineCodeFilter, ReachedFilter
from payments.admin.read_only import ReadOnlyAdmin
from payments.admin.receipt import sections_of
from payments.admin.timeline import timeline_of
from payments.admin.words import WAITING, label, state_label, utc_in_column
from payments.domain.cards import contains_card_number
from payments.domain.ids import PAYMENT_PREFIX, parse_public_id
from payments.domain.money import display
from payments.domain.states import Mode
from payments.models import Payment, payments_with_pending

LIST = "admin:payments_payment_changelist"
CARD_NUMBER_REFUSED = "admin:payments_payment_card_number_refused"
_SEARCH_FIELDS = (
    *("q", "state", "mode", "merchant", "created_from", "created_to"),
    *ReachedFilter.names,
    *DeclineCodeFilter.names,
)


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin[Payment]):
    list_display = (
        "created",
        "payment",
        "order",
        "customer",
        "card",
        "amount",
        "state_label",
        "merchant_label",
    )
    list_display_links = ("payment",)
    list_filter = (
        *(StateFilter, ModeFilter, MerchantFilter, CreatedFilter),
        *(ReachedFilter, DeclineCodeFilter),
    )
    ordering = ("-created_at", "-id")
    search_fields = ("pk",)  # that there is a search; what it finds, `search.matching` says
    search_help_text = search.PLACEHOLDER
    show_facets = admin.ShowFacets.NEVER
    change_list_template = "payments/admin/payment_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        return payments_with_pending().select_related("merchant")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Payment], search_term: str
    ) -> tuple[QuerySet[Payment], bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(search.matching(search_term)), False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """The filters' own names only: any other lookup would be a scan of the table."""
        return lookup in _SEARCH_FIELDS

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (
            ("search/", "payments_payment_search", self.search_view),
            ("card-number-refused/", "payments_payment_card_number_refused", self.card_number_refused_view),
        )

    @method_decorator(require_POST)
    def search_view(self, request: HttpRequest, **_: Any) -> HttpResponseRedirect:
        """Where the search's form is sent.

        By POST, so that a card number typed by mistake does not stand in an address, which browsers
        remember and proxies log. What is harmless goes on to the list's address, which can be shared.
        """
        asked = {name: request.POST.get(name, "").strip() for name in _SEARCH_FIELDS}
        if any(map(contains_card_number, asked.values())):
            return redirect(CARD_NUMBER_REFUSED)
        query = urlencode({name: value for name, value in asked.items() if value})
        return HttpResponseRedirect(f"{reverse(LIST)}?{query}" if query else reverse(LIST))

    @method_decorator(require_safe)
    def card_number_refused_view(self, request: HttpRequest, **_: Any) -> HttpResponse:
        """Where whoever searched for a card number arrives."""
        context = self.admin_site.each_context(request) | {"title": "Card numbers are not taken"}
        return self._page(request, "payments/admin/card_number_refused.html", context)

    @method_decorator(require_safe)
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One payment: its receipt and its timeline."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        payment = self.get_object(request, object_id)
        if payment is None:
            messages.error(request, "There is no such payment. Search for it by another scrap.")
            return redirect(LIST)
        context = self.admin_site.each_context(request) | {
            "title": payment.public_id,
            "opts": self.opts,
            "original": payment,
            "amount": display(payment.amount_cents, payment.currency),
            "labels": _labels(payment),
            "sections": sections_of(payment),
            "timeline": timeline_of(payment),
        }
        return self._page(request, "payments/admin/payment.html", context)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Payment | None:
        """By its UUID, as the list links it, or by its public id, as people paste it."""
        public = parse_public_id(PAYMENT_PREFIX, object_id)
        return super().get_object(request, str(public or object_id), from_field)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        request.current_app = self.admin_site.name
        return TemplateResponse(request, template, context)

    @admin.display(description="Created (UTC)")
    def created(self, payment: Payment) -> str:
        return utc_in_column(payment.created_at)

    @admin.display(description="Payment")
    def payment(self, payment: Payment) -> SafeString:
        return _shortened(payment.public_id)

    @admin.display(description="Order")
    def order(self, payment: Payment) -> SafeString:
        return _shortened(payment.order_id)

    @admin.display(description="Customer")
    def customer(self, payment: Payment) -> SafeString:
        return _shortened(payment.customer_id)

    @admin.display(description="Card")
    def card(self, payment: Payment) -> str:
        return f"•••• {payment.card_last4}"

    @admin.display(description="Amount")
    def amount(self, payment: Payment) -> str:
        return display(payment.amount_cents, payment.currency)

    @admin.display(description="State")
    def state_label(self, payment: Payment) -> SafeString:
        return format_html('<span class="ficpay-labels">{}</span>', _labels(payment))

    @admin.display(description="Merchant")
    def merchant_label(self, payment: Payment) -> SafeString:
        mode = " (test)" if payment.mode == Mode.TEST else ""
        return _shortened(f"{payment.merchant.name}{mode}")


def _labels(payment: Payment) -> SafeString:
    """The state, and the operation that is unfinished, if there is one."""
    pending = label(f"{payment.pending_kind} pending", WAITING) if payment.pending_kind else ""
    return format_html("{} {}", state_label(payment.state), pending)


def _shortened(text: str) -> SafeString:
    """Cut to its column by the style sheet; whole in the page, under the mouse and for a screen reader."""
    return format_html('<span class="ficpay-short" title="{}">{}</span>', text, text)
