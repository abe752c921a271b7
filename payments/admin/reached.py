"""Filters that figures of the first page lead to. They draw themselves only where they are in force."""

from django.db.models import QuerySet
from django.http import HttpRequest

from payments.admin.dashboard.figures import MONEY_STATES
from payments.admin.fields import FieldsFilter, on_days
from payments.models import Payment


class ReachedFilter(FieldsFilter):
    """Payments that were authorized, captured or refunded on these days, whenever they were made."""

    title, hides = "reached", True
    inputs = (
        ("choice", "reached", "Reached"),
        ("date", "reached_from", "Reached from"),
        ("date", "reached_to", "Reached to"),
    )
    choosable = tuple(MONEY_STATES)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        state, first, last = (self.given.get(name, "") for name in self.names())
        if not state:
            return queryset
        if state not in MONEY_STATES:
            return queryset.none()
        field = f"{state.lower()}_at"
        return on_days(request, queryset.filter(**{f"{field}__isnull": False}), field, first, last)


class DeclineCodeFilter(FieldsFilter):
    """Declines with one code."""

    title, hides = "decline code", True
    inputs = (("text", "decline_code", "Decline code"),)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        code = self.given.get("decline_code", "")
        return queryset.filter(decline_code=code) if code else queryset
