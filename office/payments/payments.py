"""Payments in the back office: the list with its search and export, and the page of one payment."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection, transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from office.cases import cases, review
from office.cases.cases import cases_of
from office.decisions import views as decisions
from office.decisions.actions import actions_for
from office.decisions.forms import NoteForm, ReasonForm
from office.decisions.permissions import RESOLVE
from office.decisions.waiting import waiting_about
from office.differences.of_payment import differences_of
from office.log.actors import staff_of
from office.log.staff import log_export
from office.pages.books import VIEW as VIEW_BOOKS
from office.pages.fields import ZONE, ZoneFilter
from office.pages.filters import AttentionFilter, CreatedFilter, MerchantFilter, ModeFilter, StateFilter
from office.pages.reached import DeclineCodeFilter, ReachedFilter
from office.pages.read_only import ReadOnlyAdmin
from office.pages.rendering import render_page
from office.pages.search_forms import filled_in, form_lost, list_url
from office.pages.words import BAD, WAITING, label, shortened, state_label, utc_in_column, with_times
from office.payments import export, search
from office.payments.payment_list import IN_WORDS, PaymentList, search_of
from office.payments.receipt import sections_of
from office.payments.related import related_to
from office.payments.timeline import timeline_of
from office.search.models import FoundPayment
from office.settlements.ledger import entries_of
from payments.domain.cards import contains_typed_card_number
from payments.domain.ids import PAYMENT_PREFIX, parse_public_id
from payments.domain.money import display
from payments.domain.states import Mode, OperationState
from payments.models import Payment, payments_with_pending, unfinished_operations
from payments.models.clock import read_clock
from payments.models.guards import ran_out_of_time
from payments.models.queries import WithPending
from reconciliation.services.explain import what_now

LIST = "admin:payments_payment_changelist"
CARD_NUMBER_REFUSED = "admin:payments_payment_card_number_refused"
EXPORT = "payments.export_payments"
_SEARCH_FIELDS = (
    *("q", IN_WORDS, "state", "mode", "merchant", "attention"),
    *CreatedFilter.names(),
    *ReachedFilter.names(),
    *DeclineCodeFilter.names(),
    ZONE,
)
_DAYS = (*CreatedFilter.days(), *ReachedFilter.days())
# Far more than any search needs that uses an index. A slower one is canceled, to protect the database.
LONGEST_STATEMENT_MS = 8000


class _Listed(WithPending):
    unfinished_state: str | None  # the state of the pending operation


if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    ListedPayment = WithAnnotations[Payment, _Listed]
else:
    ListedPayment = Payment


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin[ListedPayment]):
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
        *(StateFilter, ModeFilter, MerchantFilter, CreatedFilter, ZoneFilter, ReachedFilter),
        DeclineCodeFilter,
        AttentionFilter,  # must be last: it narrows the payments that the others let through
    )
    ordering = ("-created_at", "-id")
    search_fields = ("pk",)  # turns Django's search on; `search.Search` does the work
    search_help_text = search.PLACEHOLDER
    show_facets = admin.ShowFacets.NEVER
    change_list_template = "office/payment_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ListedPayment]:
        unfinished = unfinished_operations().filter(payment=OuterRef("pk")).values("state")[:1]
        return (
            payments_with_pending().annotate(unfinished_state=Subquery(unfinished)).select_related("merchant")
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ListedPayment], search_term: str
    ) -> tuple[QuerySet[ListedPayment], bool]:
        """All payments: PaymentList searches among them."""
        return queryset, False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[PaymentList]:
        return PaymentList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """The filters' own names only: any other lookup would scan the table."""
        return lookup in _SEARCH_FIELDS

    def get_urls(self) -> list[Any]:
        own = [*review.urls(self.admin_site), *cases.urls(self.admin_site), *decisions.urls()]
        return [*own, *super().get_urls()]

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        return (
            ("search/", "payments_payment_search", self.search_view),
            ("export/", "payments_payment_export", self.export_view),
            ("card-number-refused/", "payments_payment_card_number_refused", self.card_number_refused_view),
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        term = request.GET.get("q", "")
        context: dict[str, Any] = {
            "may_export": request.user.has_perm(EXPORT),
            "without_payment": search.operations_without_payment(term)[:5] if _can_be_searched(term) else (),
        }
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('statement_timeout', %s, true)", [str(LONGEST_STATEMENT_MS)]
                )
                return super().changelist_view(request, context | (extra_context or {}))
        except OperationalError as error:
            if not ran_out_of_time(error):
                raise
        context["title"] = "Search timed out"
        return render_page(request, "office/took_too_long.html", context, status=503)

    def search_view(self, request: HttpRequest, **_: Any) -> HttpResponseRedirect:
        """Receives the search form. The query of its URL is the previous search.

        By POST, so that a card number typed by mistake is in no URL: browsers remember URLs and proxies log
        them. A search without one is redirected to the list's URL, which can be shared.
        """
        if request.method != "POST":
            return form_lost(request, list_url(LIST, _asked(request.GET)))
        asked = _asked(request.POST)
        if any(map(contains_typed_card_number, asked.values())):
            return redirect(CARD_NUMBER_REFUSED)
        return HttpResponseRedirect(list_url(LIST, asked))

    def export_view(self, request: HttpRequest, **_: Any) -> HttpResponseBase:
        """Export the list in the URL, all pages of it, as a file.

        By POST, because it writes a line into the staff log before the first row is sent.
        """
        if not (self.has_view_permission(request) and request.user.has_perm(EXPORT)):
            raise PermissionDenied
        asked = _asked(request.GET)
        if any(map(contains_typed_card_number, asked.values())):
            return redirect(CARD_NUMBER_REFUSED)
        if request.method != "POST":
            return form_lost(request, list_url(LIST, asked))
        form = ReasonForm(request.POST)
        if not form.is_valid():
            messages.error(request, "Nothing was exported. " + " ".join(map(str, form.errors["reason"])))
            return HttpResponseRedirect(list_url(LIST, asked))
        payments: QuerySet[FoundPayment] = FoundPayment.objects.all()
        params = {name: [value] for name, value in asked.items() if name not in ("q", IN_WORDS)}
        filters = [each(request, params, Payment, self) for each in self.list_filter]
        for each in filters:
            payments = each.queryset(request, payments)
        if problems := [each.problem for each in filters if each.problem]:
            messages.error(request, f"Nothing was exported. {' '.join(problems)}")
            return HttpResponseRedirect(list_url(LIST, asked))
        log_export(staff_of(request), asked, reason=form.cleaned_data["reason"])
        name = f"payments-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.csv"
        return StreamingHttpResponse(
            export.as_csv(payments, search_of(asked.get("q", ""), asked)),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    @method_decorator(require_safe)
    def card_number_refused_view(self, request: HttpRequest, **_: Any) -> HttpResponse:
        """The page after a search for a card number."""
        return render_page(request, "office/card_number_refused.html", {"title": "Card number not searched"})

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
            messages.error(request, "There is no such payment. Search by something else, such as the order.")
            return redirect(LIST)
        operations = list(
            payment.operations.order_by("created_at").prefetch_related("attempts", "discrepancies")
        )
        context = {
            "title": payment.public_id,
            "opts": self.opts,
            "original": payment,
            "amount": display(payment.amount_minor, payment.currency),
            "labels": _labels(payment),
            "is_test": payment.mode == Mode.TEST,
            "related": related_to(payment),
            "now": with_times(what_now(payment, operations, read_clock())),
            "actions": actions_for(request, payment, operations),
            "waiting": waiting_about(request, payment),
            "cases": cases_of(request, operations),
            "note_form": NoteForm() if request.user.has_perm(RESOLVE) else None,
            "sections": sections_of(payment, operations),
            "timeline": timeline_of(payment, operations),
            "entries": entries_of(payment) if request.user.has_perm(VIEW_BOOKS) else (),
            "differences": differences_of(request, payment),
        }
        return render_page(request, "office/payment.html", context)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> ListedPayment | None:
        """By UUID, as the list links it, or by public id, as people paste it."""
        public = parse_public_id(PAYMENT_PREFIX, object_id.lower())
        return super().get_object(request, str(public or object_id), from_field)

    @admin.display(description="Created (UTC)")
    def created(self, payment: Payment) -> str:
        return utc_in_column(payment.created_at)

    @admin.display(description="Payment")
    def payment(self, payment: Payment) -> SafeString:
        return shortened(payment.public_id)

    @admin.display(description="Order")
    def order(self, payment: Payment) -> SafeString:
        return shortened(payment.order_id)

    @admin.display(description="Customer")
    def customer(self, payment: Payment) -> SafeString:
        return shortened(payment.customer_id)

    @admin.display(description="Card")
    def card(self, payment: Payment) -> str:
        return f"•••• {payment.card_last4}"

    @admin.display(description="Amount")
    def amount(self, payment: Payment) -> str:
        return display(payment.amount_minor, payment.currency)

    @admin.display(description="State")
    def state_label(self, payment: ListedPayment) -> SafeString:
        return format_html('<span class="ficpay-labels">{}</span>', _labels(payment))

    @admin.display(description="Merchant")
    def merchant_label(self, payment: Payment) -> SafeString:
        return shortened(payment.merchant.name)


def _asked(given: QueryDict) -> dict[str, str]:
    return filled_in(given, _SEARCH_FIELDS, _DAYS)


def _can_be_searched(term: str) -> bool:
    return bool(term.strip()) and "\x00" not in term


def _labels(payment: ListedPayment) -> SafeString:
    """The state, the pending operation, if there is one, and the test mark."""
    pending: SafeString | str = ""
    if payment.pending_kind and payment.unfinished_state == OperationState.NEEDS_REVIEW:
        pending = label(f"{payment.pending_kind} needs review", BAD)
    elif payment.pending_kind:
        pending = label(f"{payment.pending_kind} pending", WAITING)
    test = label("test", WAITING) if payment.mode == Mode.TEST else ""
    return format_html("{} {} {}", state_label(payment.state), pending, test)
