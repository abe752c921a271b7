"""The queue of differences between the banks' records and our books, and the page of one."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from office.differences import steps
from office.differences.search import AboutFilter, receive_search
from office.differences.words import amount_of, history_of, sides, state_of, way_out
from office.pages.books import BankFilter, BankModeFilter, BookAdmin, banks_in, names_of
from office.pages.filters import ChoiceFilter, MerchantFilter
from office.pages.rendering import render_page
from office.pages.words import age, shortened, utc
from payments.domain.states import Mode
from payments.models.clock import read_clock
from reconciliation.models import Difference
from reconciliation.services.differences import OPEN_STATES, resolution_proposed

LIST = "admin:reconciliation_difference_changelist"
PAGE = "admin:reconciliation_difference_change"


class KindFilter(ChoiceFilter):
    title, parameter_name, field = "kind", "kind", "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, str(kind.label)) for kind in Difference.Kind]


class StateFilter(ChoiceFilter):
    """Open cases by default, taken ones included."""

    title, parameter_name, field = "state", "state", "state"
    without = "open or assigned"
    every = "all"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*((state.value, state.value.lower()) for state in Difference.State), (self.every, "all")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.chosen == self.every:
            return queryset
        return super().queryset(request, queryset) if self.chosen else queryset.filter(state__in=OPEN_STATES)


@admin.register(Difference)
class DifferenceAdmin(BookAdmin[Difference]):
    title = "Differences"
    list_display = (
        "kind_label",
        "about",
        "state_label",
        "amount",
        "bank_name",
        "age",
        "owner_name",
        "advice",
    )
    list_display_links = ("kind_label",)
    list_filter = (AboutFilter, KindFilter, StateFilter, BankFilter, MerchantFilter, BankModeFilter)
    list_select_related = ("owner", "line", "payment", "operation")
    # Open ones first, the oldest on top; then the others, the last closed on top.
    ordering = (F("closed_at").desc(nulls_first=True), "happened_at", "id")
    change_list_template = "office/books/differences.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Difference]:
        self._now = read_clock()
        return super().get_queryset(request)

    def get_urls(self) -> list[Any]:
        search = self.admin_site.admin_view(self.search_view)
        return [
            path("search/", search, name="reconciliation_difference_search"),
            *steps.urls(),
            *super().get_urls(),
        ]

    def search_view(self, request: HttpRequest) -> HttpResponse:
        """Receives the search form and leads to the list."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return receive_search(request, LIST, sorted(names_of(self.list_filter)))

    @method_decorator(require_safe)
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One difference: what both sides show, what to do, and its history."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        related = ("line__file", "operation__payment", "payment", "owner", "merchant", "found_by")
        difference = (
            Difference.objects.select_related(*related).filter(pk=object_id).first()
            if object_id.isdigit()
            else None
        )
        if difference is None:
            messages.error(request, "There is no such difference.")
            return redirect(LIST)
        context = {
            "title": str(difference),
            "opts": self.named,
            "original": difference,
            "difference": difference,
            "amount": amount_of(difference),
            "state": state_of(difference),
            "is_test": difference.bank in banks_in(Mode.TEST),
            "advice": resolution_proposed(difference) if difference.state in OPEN_STATES else "",
            "steps": steps.of(request, difference),
            "ways": way_out(difference) if difference.state in OPEN_STATES else [],
            "age": age(read_clock() - difference.happened_at),
            "happened": utc(difference.happened_at),
            "sides": sides(difference),
            "history": history_of(difference),
        }
        return render_page(request, "office/books/difference.html", context)

    @admin.display(description="Difference")
    def kind_label(self, difference: Difference) -> str:
        return difference.get_kind_display()

    @admin.display(description="About")
    def about(self, difference: Difference) -> SafeString:
        return shortened(difference.about)

    @admin.display(description="State")
    def state_label(self, difference: Difference) -> str:
        return state_of(difference)

    @admin.display(description="Amount")
    def amount(self, difference: Difference) -> str:
        return amount_of(difference)

    @admin.display(description="Bank")
    def bank_name(self, difference: Difference) -> str:
        return difference.bank

    @admin.display(description="Age")
    def age(self, difference: Difference) -> str:
        return age(self._now - difference.happened_at)

    @admin.display(description="Owner")
    def owner_name(self, difference: Difference) -> str:
        return difference.owner.get_username() if difference.owner else "none"

    @admin.display(description="What to do")
    def advice(self, difference: Difference) -> str:
        if difference.state in OPEN_STATES:
            return resolution_proposed(difference)
        return f"Accepted because: {difference.reason}" if difference.reason else ""
