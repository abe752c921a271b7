"""The filters above the payment list. Each is one or more fields of the search form."""

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from office.pages.fields import FieldsFilter, on_days
from office.search.models import FoundPayment
from payments.domain.states import Mode, OperationState, PaymentState
from payments.models import Merchant, Operation, operations_in_doubt


class ChoiceFilter(admin.SimpleListFilter):
    """A choice of one value, or any."""

    field: str
    template = "office/filter_choice.html"
    without = "Any"  # the label of the empty choice

    @property
    def chosen(self) -> str:
        return self.value() or ""

    @property
    def problem(self) -> str:
        """Why the filter is invalid."""
        if not self.chosen or self.chosen in self._names:
            return ""
        return f"Unknown {self.title}. Choose another."

    @property
    def in_words(self) -> str:
        """`state DECLINED`; empty if none is chosen."""
        name = self._names.get(self.chosen, "")
        return f"{self.title} {name}" if name else ""

    @property
    def _names(self) -> dict[str, str]:
        return {str(value): str(name) for value, name in self.lookup_choices}

    def queryset(self, request: HttpRequest, queryset: QuerySet[FoundPayment]) -> QuerySet[FoundPayment]:
        if not self.chosen:
            return queryset
        return queryset.none() if self.problem else queryset.filter(**{self.field: self.chosen})


class StateFilter(ChoiceFilter):
    title, parameter_name, field = "state", "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state.value, state.value) for state in PaymentState]


class ModeFilter(ChoiceFilter):
    """Live payments by default: a test payment must never look like real money."""

    title, parameter_name, field = "mode", "mode", "mode"
    without = "live"
    both = "all"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(Mode.TEST.value, "test"), (self.both, "live and test")]

    @property
    def chosen(self) -> str:
        return "" if self.value() == Mode.LIVE else self.value() or ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[FoundPayment]) -> QuerySet[FoundPayment]:
        if self.chosen == self.both:
            return queryset
        return super().queryset(request, queryset) if self.chosen else queryset.filter(mode=Mode.LIVE)


class MerchantFilter(ChoiceFilter):
    title, parameter_name, field = "merchant", "merchant", "merchant_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Merchant.objects.order_by("name").values_list("pk", "name")]


class AttentionFilter(ChoiceFilter):
    """Payments with an unsettled operation."""

    title, parameter_name = "attention", "attention"
    operations: ClassVar[dict[str, tuple[str, Callable[[], QuerySet[Operation]]]]] = {
        "in_doubt": ("In doubt", operations_in_doubt),
        "needs_review": (
            "Needs review",
            lambda: Operation.objects.filter(state=OperationState.NEEDS_REVIEW),
        ),
        "awaiting_statement": (
            "Awaiting statement",
            lambda: Operation.objects.filter(awaiting_statement=True),
        ),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, text) for name, (text, _) in self.operations.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[FoundPayment]) -> QuerySet[FoundPayment]:
        if not self.chosen:
            return queryset
        if self.problem:
            return queryset.none()
        self._payments = queryset
        return queryset.filter(pk__in=self._operations().values("payment"))

    @property
    def is_known(self) -> bool:
        return self.chosen in self.operations

    def newest(self, at_most: int) -> list[UUID]:
        """The payments that match this filter and those before it, by their newest operations.

        Reads along an index of the operations, so that it stays fast when there are many.
        """
        operations = self._operations().filter(payment__in=self._payments.order_by().values("pk"))
        return list(operations.order_by("-created_at").values_list("payment_id", flat=True)[:at_most])

    def _operations(self) -> QuerySet[Operation]:
        return self.operations[self.chosen][1]()


class CreatedFilter(FieldsFilter):
    """From a day to a day, both included; either may be empty."""

    title = "created"
    inputs = (("date", "created_from", "Created from"), ("date", "created_to", "Created to"))

    def narrow(self, request: HttpRequest, rows: QuerySet[FoundPayment]) -> QuerySet[FoundPayment]:
        first, last = (self.given.get(name, "") for name in self.days())
        return on_days(request, rows, "created_at", first, last)
