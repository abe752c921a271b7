"""Lists, newest first, one page at a time.

A cursor is a position between two rows and a direction. New rows come before the first page, so paging
towards older rows neither repeats nor skips any.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar, Generic, Self, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

Row = TypeVar("Row", bound=Model)
_OLDER, _NEWER = "on"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Cursor(ABC):
    """All rows of a list older (or newer) than the one at this place."""

    # What the list is ordered by, descending: a column, and if it is not unique the id.
    columns: ClassVar[tuple[str, ...]]
    # Every text of this pattern is a cursor, or the document would promise too much.
    pattern: ClassVar[str]

    older: bool
    place: tuple[Any, ...]  # the row's values of `columns`

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cursor that `str` wrote. Raises ValueError for any other text."""
        if not re.fullmatch(cls.pattern.strip("^$"), text):
            raise ValueError("not a cursor")
        return cls(text[0] == _OLDER, cls._place(text[1:]))

    @classmethod
    def at(cls, row: Model, *, older: bool) -> Self:
        return cls(older, tuple(getattr(row, column) for column in cls.columns))

    @classmethod
    @abstractmethod
    def _place(cls, written: str) -> tuple[Any, ...]: ...

    @abstractmethod
    def _written(self) -> str: ...

    def __str__(self) -> str:
        return f"{_OLDER if self.older else _NEWER}{self._written()}"

    def condition(self) -> Q:
        (column, *_), (value, *_) = self.columns, self.place
        than = "lt" if self.older else "gt"
        beyond = Q(**{f"{column}__{than}": value})
        if len(self.columns) == 1:
            return beyond
        tie = Q(**{column: value, f"id__{than}": self.place[1]})
        # The first comparison is redundant: it lets the database use its index.
        return Q(**{f"{column}__{than}e": value}) & (beyond | tie)


class PaymentCursor(Cursor):
    """By the time of creation."""

    columns = ("created_at", "id")
    pattern = "^[on][0-9a-f]{45}$"

    @classmethod
    def _place(cls, written: str) -> tuple[Any, ...]:
        return _EPOCH + timedelta(microseconds=int(written[:13], 16)), UUID(written[13:])

    def _written(self) -> str:
        created_at, payment_id = self.place
        return f"{(created_at - _EPOCH) // timedelta(microseconds=1):013x}{payment_id.hex}"


class SettlementCursor(Cursor):
    """By the day."""

    columns = ("date", "id")
    pattern = "^[on][0-9a-f]{37}$"

    @classmethod
    def _place(cls, written: str) -> tuple[Any, ...]:
        return _EPOCH.date() + timedelta(days=int(written[:5], 16)), UUID(written[5:])

    def _written(self) -> str:
        day: date
        day, settlement_id = self.place
        return f"{(day - _EPOCH.date()).days:05x}{settlement_id.hex}"


class LineCursor(Cursor):
    """By the order in which lines were written."""

    columns = ("id",)
    pattern = "^[on][0-9a-f]{15}$"

    @classmethod
    def _place(cls, written: str) -> tuple[Any, ...]:
        return (int(written, 16),)

    def _written(self) -> str:
        return f"{self.place[0]:015x}"


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows, newest first, and the cursors of the next and previous pages."""

    rows: list[Row]
    next: Cursor | None
    previous: Cursor | None

    def links(self, request: Request) -> dict[str, str | None]:
        """The URLs of the next and previous pages: this page's URL with another cursor."""
        here = request.build_absolute_uri()
        return {
            name: replace_query_param(here, "cursor", str(cursor)) if cursor else None
            for name, cursor in (("next", self.next), ("previous", self.previous))
        }


def page_of(rows: QuerySet[Row], kind: type[Cursor], *, cursor: Cursor | None, size: int) -> Page[Row]:
    """The page at the cursor, or the first page without one."""
    towards_older = cursor is None or cursor.older
    order = [f"-{column}" if towards_older else column for column in kind.columns]
    chosen = rows.filter(cursor.condition()) if cursor else rows
    found = list(chosen.order_by(*order)[: size + 1])
    there_are_more, shown = len(found) > size, found[:size]
    if not towards_older:
        shown.reverse()
    has_older = there_are_more if towards_older else True
    has_newer = cursor is not None if towards_older else there_are_more
    return Page(
        shown,
        next=kind.at(shown[-1], older=True) if shown and has_older else None,
        previous=kind.at(shown[0], older=False) if shown and has_newer else None,
    )
