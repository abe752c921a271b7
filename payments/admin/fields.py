"""Filters that are fields of a form above a list, read from the list's address."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, ClassVar, TypeVar

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from payments.admin.theme import ModelAdmin
from payments.domain.days import begin_of

Params = dict[str, list[str]]
M = TypeVar("M", bound=Model)


class FieldsFilter(admin.ListFilter):
    """One or more fields. `inputs` are the kind, the name in the address and the label of each."""

    template = "payments/admin/filter_fields.html"
    inputs: ClassVar[tuple[tuple[str, str, str], ...]]
    choosable: tuple[str, ...] = ()  # the values of a field whose kind is `choice`
    hides = False  # until the address names one of its fields: figures of the first page lead to it

    def __init__(
        self, request: HttpRequest, params: Params, model: type[Any], model_admin: ModelAdmin[Any]
    ) -> None:
        super().__init__(request, params, model, model_admin)
        given = {name: params.pop(name)[-1] for name in self.names() if name in params}
        self.given = {name: value.replace("\x00", "\ufffd") for name, value in given.items()}

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(name for _, name, _ in cls.inputs)

    @property
    def fields(self) -> list[tuple[str, str, str, str]]:
        """Kind, name, label and value of each field that is shown."""
        if self.hides and not self.given:
            return []
        return [(kind, name, text, self.given.get(name, "")) for kind, name, text in self.inputs]

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self.names())

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        return iter(())


def on_days(request: HttpRequest, rows: QuerySet[M], field: str, first: str, last: str) -> QuerySet[M]:
    """Rows whose `field` lies on these UTC days, both included; an empty text is no bound.

    None, with a word to whoever asked, where a day is not one.
    """
    try:
        if first:
            rows = rows.filter(**{f"{field}__gte": begin_of(date.fromisoformat(first))})
        if last:
            after = date.fromisoformat(last) + timedelta(days=1)
            rows = rows.filter(**{f"{field}__lt": begin_of(after)})
    except (ValueError, OverflowError):
        messages.error(request, "A day is written like 2026-11-21, year first. Nothing was searched.")
        return rows.none()
    return rows
