"""Filters that are fields of a form above a list, read from the list's address."""

from collections.abc import Iterator
from datetime import UTC, date, timedelta, tzinfo
from functools import cache
from typing import Any, ClassVar, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from office.pages.theme import ModelAdmin
from payments.domain.days import begin_of

ZONE = "zone"  # in the address, beside days that are not UTC's
Params = dict[str, list[str]]
M = TypeVar("M", bound=Model)


class WrongFilter(Exception):
    """What was asked for cannot be; the text says why."""


class FieldsFilter(admin.ListFilter):
    """One or more fields. `inputs` are the kind, the name in the address and the label of each."""

    template = "office/filter_fields.html"
    inputs: ClassVar[tuple[tuple[str, str, str], ...]]
    choosable: tuple[str, ...] = ()  # the values of a field whose kind is `choice`
    hides = False  # until the address names one of its fields: figures of the first page lead to it
    problem = ""  # why nothing can be found

    def __init__(
        self, request: HttpRequest, params: Params, model: type[Any], model_admin: ModelAdmin[Any]
    ) -> None:
        super().__init__(request, params, model, model_admin)
        given = {name: params.pop(name)[-1] for name in self.names() if name in params}
        self.given = {name: value.replace("\x00", "\ufffd") for name, value in given.items()}

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(name for _, name, _ in cls.inputs)

    @classmethod
    def days(cls) -> tuple[str, ...]:
        """Those that are days."""
        return tuple(name for kind, name, _ in cls.inputs if kind == "date")

    @property
    def fields(self) -> list[tuple[str, str, str, str]]:
        """Kind, name, label and value of each field that is shown."""
        if self.hides and not self.given:
            return []
        return [(kind, name, text, self.given.get(name, "")) for kind, name, text in self.inputs]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows that the fields let through. Raises WrongFilter."""
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        try:
            return self.narrow(request, queryset)
        except WrongFilter as why:
            self.problem = str(why)
            return queryset.none()

    @property
    def in_words(self) -> str:
        """`created from 2026-11-21, created to 2026-11-22`; empty where nothing is asked."""
        return ", ".join(f"{text.lower()} {value}" for _, _, text, value in self.fields if value)

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self.names())

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        return iter(())


class ZoneFilter(FieldsFilter):
    """Whose days the other filters mean. The page's script offers the reader's own zone."""

    title = "zone"
    inputs = (("zone", ZONE, "Days in"),)

    @property
    def others(self) -> list[str]:
        """What can be chosen instead of UTC."""
        return [zone for zone in self.given.values() if zone in _zones()]

    def narrow(self, request: HttpRequest, rows: QuerySet[M]) -> QuerySet[M]:
        return rows


def on_days(request: HttpRequest, rows: QuerySet[M], field: str, first: str, last: str) -> QuerySet[M]:
    """Rows whose `field` lies on these days, both included; an empty text is no bound.

    The days are those of the zone in the address, so that it means the same to everybody. Raises WrongFilter
    where a day or the zone is not one, or the days are in the wrong order.
    """
    if not (first or last):
        return rows
    zone = _zone_of(request)
    if zone is None:
        raise WrongFilter("The time zone is not known here. Choose UTC.")
    try:
        if first:
            rows = rows.filter(**{f"{field}__gte": begin_of(date.fromisoformat(first), zone)})
        if last:
            after = date.fromisoformat(last) + timedelta(days=1)
            rows = rows.filter(**{f"{field}__lt": begin_of(after, zone)})
    except (ValueError, OverflowError) as error:
        raise WrongFilter("A day is written like 2026-11-21, year first.") from error
    if first and last and date.fromisoformat(first) > date.fromisoformat(last):
        raise WrongFilter(f"“From” ({first}) is after “to” ({last}): no day lies between them.")
    return rows


def _zone_of(request: HttpRequest) -> tzinfo | None:
    name = request.GET.get(ZONE) or "UTC"
    if name == "UTC":
        return UTC
    return ZoneInfo(name) if name in _zones() else None


@cache
def _zones() -> frozenset[str]:
    """All that the machine knows; looked up in its files, once."""
    return frozenset(available_timezones())
