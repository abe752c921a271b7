"""Lists of payments, newest first, one page at a time.

A cursor is a position between two payments and a direction. New payments come before the first page, so
paging towards older payments neither repeats nor skips any.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self
from uuid import UUID

from django.db.models import Q, QuerySet
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from payments.models import Payment, PaymentForReceipt

CURSOR_PATTERN = "^[on][0-9a-f]{45}$"
_CURSOR = re.compile(r"([on])([0-9a-f]{13})([0-9a-f]{32})")
_OLDER, _NEWER = "on"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Cursor:
    """All payments older (or newer) than the one with this time and id."""

    older: bool
    created_at: datetime
    payment_id: UUID

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cursor that `str` wrote. Raises ValueError for any other text."""
        found = _CURSOR.fullmatch(text)
        if not found:
            raise ValueError("not a cursor")
        direction, microseconds, payment_id = found.groups()
        created_at = _EPOCH + timedelta(microseconds=int(microseconds, 16))
        return cls(direction == _OLDER, created_at, UUID(payment_id))

    @classmethod
    def at(cls, payment: Payment, *, older: bool) -> Self:
        return cls(older, payment.created_at, payment.pk)

    def __str__(self) -> str:
        microseconds = (self.created_at - _EPOCH) // timedelta(microseconds=1)
        return f"{_OLDER if self.older else _NEWER}{microseconds:013x}{self.payment_id.hex}"

    def condition(self) -> Q:
        # The first comparison is redundant: it lets the database use its index.
        if self.older:
            tie = Q(created_at=self.created_at, id__lt=self.payment_id)
            return Q(created_at__lte=self.created_at) & (Q(created_at__lt=self.created_at) | tie)
        tie = Q(created_at=self.created_at, id__gt=self.payment_id)
        return Q(created_at__gte=self.created_at) & (Q(created_at__gt=self.created_at) | tie)


@dataclass(frozen=True)
class Page:
    """Payments, newest first, and the cursors of the next and previous pages."""

    payments: list[PaymentForReceipt]
    next: Cursor | None
    previous: Cursor | None

    def links(self, request: Request) -> dict[str, str | None]:
        """The URLs of the next and previous pages: this page's URL with another cursor."""
        here = request.build_absolute_uri()
        return {
            name: replace_query_param(here, "cursor", str(cursor)) if cursor else None
            for name, cursor in (("next", self.next), ("previous", self.previous))
        }


def page_of(payments: QuerySet[PaymentForReceipt], *, cursor: Cursor | None, size: int) -> Page:
    """The page at the cursor, or the first page without one."""
    towards_older = cursor is None or cursor.older
    order = ("-created_at", "-id") if towards_older else ("created_at", "id")
    chosen = payments.filter(cursor.condition()) if cursor else payments
    found = list(chosen.order_by(*order)[: size + 1])
    there_are_more, shown = len(found) > size, found[:size]
    if not towards_older:
        shown.reverse()
    has_older = there_are_more if towards_older else True
    has_newer = cursor is not None if towards_older else there_are_more
    return Page(
        shown,
        next=Cursor.at(shown[-1], older=True) if shown and has_older else None,
        previous=Cursor.at(shown[0], older=False) if shown and has_newer else None,
    )
