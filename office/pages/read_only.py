"""The base of every list of payment records. Nobody can edit them here, not even superusers."""

from functools import cached_property
from typing import Any, TypeVar

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from office.pages.theme import ChangeList, ModelAdmin, Paginator

M = TypeVar("M", bound=Model)
# Lists count and page up to here. Beyond it, a filter helps more than page 41.
COUNTED_AT_MOST = 1000


class CappedPaginator(Paginator[M]):
    """Pages of the first rows only, because counting a large table takes too long."""

    @cached_property
    def count(self) -> int:
        # In the list's order, so that the count uses the same index as the page.
        rows = self.object_list.values("pk")  # type: ignore[attr-defined]  # always a queryset here
        counted: int = rows[:COUNTED_AT_MOST].count()
        return counted

    @property
    def is_capped(self) -> bool:
        """Whether there may be more rows than were counted."""
        return self.count == COUNTED_AT_MOST


class PagedList(ChangeList):
    """Django's list. For a page number that does not exist, it shows the nearest page with its filters."""

    def get_results(self, request: HttpRequest) -> None:
        try:
            super().get_results(request)
            last = self.paginator.num_pages
        except IncorrectLookupParameters:
            pages = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
            last = pages.num_pages
        if 1 <= self.page_num <= last:
            return
        asked, self.page_num = self.page_num, last if self.page_num > last else 1
        messages.warning(
            request,
            f"There is no page {asked}. This is page {self.page_num} of {last}.",
        )
        super().get_results(request)


class ReadOnlyList(PagedList):
    """A list with links to the neighboring pages, and with the errors of its filters."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = (
            self.result_count
        )  # or unfold's header would show the capped count as the total

    @property
    def problems(self) -> list[str]:
        """The errors of the filters; with any, the list finds nothing."""
        problems = [getattr(spec, "problem", "") for spec in self.filter_specs]
        return [problem for problem in problems if problem]

    @property
    def filters_in_words(self) -> list[tuple[str, str]]:
        """Each active filter, and the URL of the list without it."""
        specs = [(getattr(spec, "in_words", ""), spec) for spec in self.filter_specs]
        return [
            (words, self.get_query_string(remove=[*filter(None, spec.expected_parameters()), PAGE_VAR]))
            for words, spec in specs
            if words
        ]

    @property
    def previous_page(self) -> str:
        return self.get_query_string({PAGE_VAR: self.page_num - 1})

    @property
    def next_page(self) -> str:
        return self.get_query_string({PAGE_VAR: self.page_num + 1})


class ReadOnlyAdmin(ModelAdmin[M]):
    """A list without actions. Only subclasses add a page for one row."""

    actions = None
    list_display_links: Any = None
    list_max_show_all = 0
    list_per_page = 25
    paginator = CappedPaginator
    show_full_result_count = False
    sortable_by = ()
    change_list_template = "office/list.html"
    nothing_yet = ""  # a hint for an empty list

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """No lookups in the URL beyond the list's own filters: they could be used to guess a key's digest."""
        return False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ReadOnlyList

    @method_decorator(require_safe)
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, extra_context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        raise Http404

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's history of edits. There are no edits; a payment's history is on its page."""
        raise Http404
