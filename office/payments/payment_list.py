"""The payment list: the payments that match, and how the page explains the search."""

from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.views.main import PAGE_VAR
from django.db.models import QuerySet
from django.http import HttpRequest

from office.pages.filters import AttentionFilter, ModeFilter
from office.pages.read_only import COUNTED_AT_MOST, ReadOnlyList
from office.payments.search import Search
from office.search import follow
from office.search.models import FoundPayment
from payments.domain.states import Mode
from payments.models.clock import read_clock

IN_WORDS = "in"  # in the URL; `in=words` searches descriptions and metadata


def search_of(term: str, asked: dict[str, str]) -> Search:
    """The search in a URL."""
    return Search(term, in_words=asked.get(IN_WORDS) == "words")


class PaymentList(ReadOnlyList):
    """The payments that match the search and the filters.

    Their ids come from the search's tables, the values on the page from the payments themselves. With a
    filter on operations, the ids come from the newest operations.
    """

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        found: dict[str, Any] = super().get_filters_params(params)
        found.pop(IN_WORDS, None)
        return found

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: list[str | None] | None = None
    ) -> QuerySet[FoundPayment]:
        self.root_queryset = FoundPayment.objects.all()
        payments: QuerySet[FoundPayment] = super().get_queryset(request, exclude_parameters)
        self._request = request
        self.search = search_of(self.query, request.GET.dict())
        if self.query.strip():
            return payments.filter(pk__in=self.search.newest(payments, COUNTED_AT_MOST))
        for spec in self.filter_specs:
            if isinstance(spec, AttentionFilter) and spec.is_known:
                newest = spec.newest(COUNTED_AT_MOST)
                ordered: QuerySet[FoundPayment] = self.root_queryset.filter(pk__in=newest)
                return ordered.order_by(*payments.query.order_by)
        return payments

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        ids = [found.pk for found in self.result_list]
        payments = self.model_admin.get_queryset(request).in_bulk(ids)
        self.result_list = [payments[one] for one in ids if one in payments]

    @cached_property
    def behind(self) -> str:
        """How far the search lags behind the payments, as `14 s`. Empty if the lag is negligible."""
        return follow.behind(read_clock())

    @property
    def mode(self) -> str:
        """`live`, `test` or `all`."""
        chosen = next(spec.chosen for spec in self.filter_specs if isinstance(spec, ModeFilter))
        return chosen or Mode.LIVE.value

    @property
    def has_tests(self) -> bool:
        """Whether the same search and filters would find a test payment."""
        if self.mode != Mode.LIVE or self.problems:
            return False
        tests: QuerySet[FoundPayment] = self.root_queryset.filter(mode=Mode.TEST)
        for spec in self.filter_specs:
            if not isinstance(spec, ModeFilter):
                narrowed = spec.queryset(self._request, tests)
                tests = tests if narrowed is None else narrowed
        if self.query.strip():
            return bool(search_of(self.query, self._request.GET.dict()).newest(tests, 1))
        return tests.order_by("-created_at", "-id")[:1].exists()

    @property
    def with_tests(self) -> str:
        return self.get_query_string({"mode": ModeFilter.both}, [PAGE_VAR])

    @property
    def live_only(self) -> str:
        return self.get_query_string(remove=["mode", PAGE_VAR])

    @property
    def without_filters(self) -> str:
        """The URL of the same search among all payments."""
        return f"?{urlencode({'q': self.query, 'mode': ModeFilter.both})}"

    @property
    def other_readings(self) -> list[tuple[str, str]]:
        """The other meanings of the text, each with the URL of its search."""
        page = [PAGE_VAR, IN_WORDS]
        found = [(one.text, self.get_query_string({"q": one.term}, page)) for one in self.search.others]
        if self.search.is_asked_for_words:
            found.append(("as an id, a card or an amount", self.get_query_string(remove=page)))
        elif self.search.typed.words and not self.search.in_words:
            found.append(("in descriptions and metadata", self.get_query_string({IN_WORDS: "words"}, page)))
        return found
