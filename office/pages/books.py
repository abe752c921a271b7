"""The lists of the books: differences, reconciliations, statements and settlements. Nobody edits a row."""

from copy import copy
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from office.pages.fields import FieldsFilter
from office.pages.filters import ChoiceFilter
from office.pages.read_only import ReadOnlyAdmin
from payments.domain.money import Currency
from payments.domain.states import Mode
from payments.engine.abilities import banks_for, banks_with_statements

VIEW = "reconciliation.view_reconciliation"
RESOLVE = "reconciliation.resolve_difference"
IMPORT = "reconciliation.import_statement"
CORRECT = "reconciliation.correct_settlement"
FEES = "reconciliation.manage_fees"

M = TypeVar("M", bound=Model)


class BookAdmin(ReadOnlyAdmin[M]):
    """A list that the permission to view reconciliations opens. Its filters are in its URL."""

    show_facets = admin.ShowFacets.NEVER
    change_list_template = "office/books/list.html"
    title = ""

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return request.user.has_perm(VIEW)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(VIEW)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """The filters' own names only: any other lookup would scan the table."""
        return lookup in names_of(self.list_filter)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        asked = {name: value for name, value in request.GET.items() if value}
        if len(asked) < len(request.GET):  # a choice of “any”
            return HttpResponseRedirect(f"{request.path}?{urlencode(asked)}" if asked else request.path)
        context = {"title": self.title, "opts": self.named} | (extra_context or {})
        return super().changelist_view(request, context)

    @property
    def named(self) -> Any:
        """The model's options with the list's name, which unfold shows in the page's header."""
        opts = copy(self.opts)
        opts.verbose_name_plural = self.title.lower()
        return opts


def names_of(filters: Any) -> set[str]:
    """The names that these filters have in the URL."""
    found: set[str] = set()
    for one in filters:
        found.update(one.names() if issubclass(one, FieldsFilter) else [one.parameter_name])
    return found


def banks_in(mode: Mode) -> list[str]:
    """The banks of one mode. A bank serves one mode only."""
    return sorted({bank for currency in Currency for bank in banks_for(mode, currency)})


class BankFilter(ChoiceFilter):
    """One of the banks that give statements."""

    title, parameter_name, field = "bank", "bank", "bank"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in banks_with_statements()]


class CurrencyFilter(ChoiceFilter):
    title, parameter_name, field = "currency", "currency", "currency"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(currency.value, currency.value) for currency in Currency]


class BankModeFilter(ChoiceFilter):
    """Live by default: test money must never look like real money. By bank: lines have no mode."""

    title, parameter_name, field = "mode", "mode", "bank__in"
    without = "live"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("test", "test")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.problem:
            return queryset.none()
        return queryset.filter(bank__in=banks_in(Mode(self.chosen or Mode.LIVE)))
