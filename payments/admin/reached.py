"""Filters that figures of the first page lead to. They draw themselves only where they are in force."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from payments.admin.dashboard.figures import MONEY_STATES
from payments.admin.filters import Params
from payments.admin.theme import ModelAdmin
from payments.domain.days import begin_of
from payments.models import Payment


class HiddenUnlessGiven(admin.ListFilter):
    """Fields of the search's form, there only when the address names one of them."""

    template = "payments/admin/filter_given.html"
    names: tuple[str, ...]
    choosable: tuple[str, ...] = ()  # the values of the first field, where it is one of a few

    def __init__(
        self, request: HttpRequest, params: Params, model: type[Payment], model_admin: ModelAdmin[Any]
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.given = {name: params.pop(name)[-1] for name in self.names if name in params}

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self.names)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        return iter(())


class ReachedFilter(HiddenUnlessGiven):
    """Payments that were authorized, captured or refunded on these UTC days, whenever they were made."""

    title = "reached"
    names = ("reached", "reached_from", "reached_to")
    choosable = tuple(MONEY_STATES)

    @property
    def fields(self) -> list[tuple[str, str, str, str]]:
        """Type, name, label and value of each field."""
        kinds = ("choice", "date", "date")
        labels = ("Reached", "Reached from (UTC)", "Reached to (UTC)")
        return [
            (kind, name, text, self.given.get(name, ""))
            for kind, name, text in zip(kinds, self.names, labels, strict=True)
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        asked = {name: value for name, value in self.given.items() if value}
        if "reached" not in asked:
            return queryset
        if asked["reached"] not in MONEY_STATES:
            return queryset.none()
        field = f"{asked['reached'].lower()}_at"
        try:
            begin = date.fromisoformat(asked.get("reached_from", "0001-01-01"))
            after = date.fromisoformat(asked.get("reached_to", "9999-12-30")) + timedelta(days=1)
        except (ValueError, OverflowError):
            messages.error(request, "A day is written like 2026-11-21, year first. Nothing was searched.")
            return queryset.none()
        return queryset.filter(**{f"{field}__gte": begin_of(begin), f"{field}__lt": begin_of(after)})


class DeclineCodeFilter(HiddenUnlessGiven):
    """Declines with one code."""

    title = "decline code"
    names = ("decline_code",)

    @property
    def fields(self) -> list[tuple[str, str, str, str]]:
        """Type, name, label and value of the one field."""
        return [("text", "decline_code", "Decline code", self.given.get("decline_code", ""))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        code = self.given.get("decline_code", "").replace("\x00", "")
        return queryset.filter(decline_code=code) if code else queryset
