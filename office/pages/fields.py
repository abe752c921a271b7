"""List filters as fields of the form above the list. Their values are in the list's URL."""

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

ZONE = "zone"  # in the URL, for days in a zone other than UTC
Params = dict[str, list[str]]
M = TypeVar("M", bound=Model)


class WrongFilter(Exception):
    """A filter has an invalid value. The message says why."""


class FieldsFilter(admin.ListFilter):
    """A filter of one or more fields. `inputs` has the kind, the name in the URL and the label of each."""

    template = "office/filter_fields.html"
    inputs: ClassVar[tuple[tuple[str, str, str], ...]]
    choosable: tuple[str, ...] = ()  # the values of a field whose kind is `choice`
    hides = False  # shown only if the URL sets one of its fields, as links of the dashboard do
    problem = ""  # why the filter is invalid

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
        """The names of the fields that are days."""
        return tuple(name for kind, name, _ in cls.inputs if kind == "date")

    @property
    def fields(self) -> list[tuple[str, str, str, str]]:
        """Kind, name, label and value of each visible field."""
        if self.hides and not self.given:
            return []
        return [(kind, name, text, self.given.get(name, "")) for kind, name, text in self.inputs]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows that match the fields. Raises WrongFilter."""
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        try:
            return self.narrow(request, queryset)
        except WrongFilter as why:
            self.problem = str(why)
            return queryset.none()

    @property
    def in_words(self) -> str:
        """`created from 2026-11-21, created to 2026-11-22`; empty if no field is set."""
        return ", ".join(f"{text.lower()} {value}" for _, _, text, value in self.fields if value)

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self.names())

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        return iter(())


class ZoneFilter(FieldsFilter):
    """The time zone of the other filters' days. The page's script offers the reader's own zone."""

    title = "zone"
    inputs = (("zone", ZONE, "Days in"),)

    @property
    def others(self) -> list[str]:
        """The choices besides UTC."""
        return [zone for zone in self.given.values() if zone in _zones()]

    def narrow(self, request: HttpRequest, rows: QuerySet[M]) -> QuerySet[M]:
        return rows


def on_days(request: HttpRequest, rows: QuerySet[M], field: str, first: str, last: str) -> QuerySet[M]:
    """Rows whose `field` is on these days, both included; an empty string means no limit.

    The zone of the days is in the URL, so that a shared link shows the same rows to everybody. Raises
    WrongFilter if a day or the zone is invalid, or the days are in the wrong order.
    """
    if not (first or last):
        return rows
    zone = _zone_of(request)
    if zone is None:
        raise WrongFilter("Unknown time zone. Choose UTC.")
    try:
        if first:
            rows = rows.filter(**{f"{field}__gte": begin_of(date.fromisoformat(first), zone)})
        if last:
            after = date.fromisoformat(last) + timedelta(days=1)
            rows = rows.filter(**{f"{field}__lt": begin_of(after, zone)})
    except (ValueError, OverflowError) as error:
        raise WrongFilter("Write days as year-month-day, for example 2026-11-21.") from error
    if first and last and date.fromisoformat(first) > date.fromisoformat(last):
        raise WrongFilter(f"“From” ({first}) is after “to” ({last}). Swap the two days.")
    return rows


def _zone_of(request: HttpRequest) -> tzinfo | None:
    name = request.GET.get(ZONE) or "UTC"
    if name == "UTC":
        return UTC
    return ZoneInfo(name) if name in _zones() else None


@cache
def _zones() -> frozenset[str]:
    """All time zones of this machine, read from its files once."""
    return frozenset(available_timezones())
