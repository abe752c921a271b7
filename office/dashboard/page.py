"""The data of the dashboard's template."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from office.dashboard import figures, rows
from office.dashboard.banks import bank_health
from office.dashboard.charts import Columns, Point, stacked_columns
from office.dashboard.figures import MONEY_STATES, UNSUCCESSFUL, Scope, Unsettled
from office.dashboard.links import AWAITED, Links
from office.dashboard.rows import BankRow, Choice, DeclineRow, Figure, StateRow
from office.decisions.waiting import decided_proposals
from office.pages.books import VIEW as VIEW_BOOKS
from office.pages.words import BAD, WAITING, plain
from office.search import follow
from payments.domain.states import Mode
from payments.models import Merchant
from payments.models.clock import read_clock

PERIODS = {1: "Today", 7: "7 days"}


def add_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's DASHBOARD_CALLBACK. Staff without permission to view payments see no figures."""
    context["title"] = "Dashboard"
    if request.user.has_perm("payments.view_payment"):
        context["dashboard"] = Dashboard(request)
        context["decided"] = decided_proposals(request)
    return context


class Dashboard:
    """Everything on the page. The figures are counted once, by the constructor."""

    def __init__(self, request: HttpRequest) -> None:
        self.merchants = list(Merchant.objects.order_by("name").values_list("pk", "name"))
        self.scope = _scope_of(request.GET.dict(), {pk for pk, _ in self.merchants})
        self.links = Links(self.scope)
        self._sees_books = request.user.has_perm(VIEW_BOOKS)
        self.made = figures.payments_made(self.scope)
        self._money = figures.money(self.scope)
        self._attention = figures.attention(self.scope)
        self._banks = bank_health(self.scope)

    @property
    def modes(self) -> list[Choice]:
        return [Choice(plain(mode), self.links.here(mode=mode), mode is self.scope.mode) for mode in Mode]

    @property
    def periods(self) -> list[Choice]:
        return [
            Choice(text, self.links.here(days=days), days == self.scope.days)
            for days, text in PERIODS.items()
        ]

    @property
    def other_choices(self) -> list[Choice]:
        """Links for an empty page: other modes and periods that may have payments."""
        mode = Mode.TEST if self.scope.mode is Mode.LIVE else Mode.LIVE
        others = [Choice(f"Show {mode} mode", self.links.here(mode=mode))]
        if self.scope.days == 1:
            others.insert(0, Choice("Show the last 7 days", self.links.here(days=7)))
        return others

    @property
    def days(self) -> str:
        """`2026-11-21`, or the first and the last of several."""
        scope = self.scope
        return str(scope.last_day) if scope.days == 1 else f"{scope.first_day} to {scope.last_day}"

    @property
    def period(self) -> str:
        """The period in words, as part of a sentence."""
        return "today" if self.scope.days == 1 else f"in the last {self.scope.days} days"

    @cached_property
    def behind(self) -> str:
        """How far the figures lag behind the payments, as `14 s`. Empty if the lag is negligible."""
        return follow.behind(self.scope.now)

    @property
    def as_of(self) -> datetime:
        return self.scope.now.astimezone(UTC)

    @property
    def attention(self) -> list[Figure]:
        """What is unsettled and needs staff, a bank or recovery."""
        found, links = self._attention, self.links
        queue = links.review_queue
        awaited = reverse(AWAITED) if self._sees_books else links.payments(attention="awaiting_statement")
        figures = [
            self._unsettled(
                "In doubt", found.in_doubt, WAITING, links.payments(attention="in_doubt"), found.releases
            ),
            self._unsettled(
                "Needs review", found.needs_review, BAD, links.payments(attention="needs_review")
            ),
            # Recovery voids them. If the bank contradicts the void, it is in the review queue.
            self._unsettled("Late holds", found.late_holds, WAITING, queue),
            self._unsettled("Waiting for approval", found.proposals, WAITING, queue),
            self._unsettled("Awaiting statement", found.awaiting_statement, WAITING, awaited),
        ]
        if self._sees_books:
            figures.append(self._unsettled("Differences", found.differences, BAD, links.differences()))
        return figures

    @property
    def money(self) -> list[Figure]:
        """What was authorized, captured and refunded in the period."""
        return [
            Figure(
                name=plain(state),
                number=rows.shown(self._money[state].amounts),
                note=rows.counted(self._money[state].count, "payment", "payments"),
                link=self.links.reached(state) if self._money[state].count else "",
            )
            for state in MONEY_STATES
        ]

    @property
    def has_money(self) -> bool:
        return any(reached.count for reached in self._money.values())

    @property
    def decline_rate(self) -> Figure:
        return rows.decline_rate(self.made, self.links)

    @property
    def states(self) -> list[StateRow]:
        return rows.states(self.made, self.links)

    @property
    def declines(self) -> list[DeclineRow]:
        return rows.declines(self.made, self.links)

    @property
    def banks(self) -> list[BankRow]:
        return [row for bank in self._banks for row in rows.of_bank(bank)]

    @property
    def chart(self) -> Columns:
        """The payments created in each hour or day of the period."""
        return stacked_columns(map(self._point, self._steps()))

    @property
    def chart_title(self) -> str:
        return "Payments by hour (UTC)" if self.scope.days == 1 else "Payments by day (UTC)"

    def _steps(self) -> Iterator[datetime]:
        begin = self.scope.begin
        while begin < self.scope.end:
            yield begin
            begin += self.scope.step

    def _point(self, begin: datetime) -> Point:
        made = self.made.at(begin)
        bad = made.in_state(*UNSUCCESSFUL)
        if self.scope.days == 1:
            tick = f"{begin:%H}" if begin.hour % 3 == 0 else ""
            return Point(f"{begin:%H:%M}", tick, made.count, bad)
        day = str(begin.date())
        link = self.links.made(created_from=day, created_to=day) if made.count else ""
        return Point(day, f"{begin:%a} {begin.day}", made.count, bad, link)

    def _unsettled(
        self, name: str, found: Unsettled, color: str, link: str, releases: Unsettled | None = None
    ) -> Figure:
        return rows.unsettled(name, found, color=color, link=link, releases=releases, now=self.scope.now)


def _scope_of(asked: dict[str, str], merchants: set[int]) -> Scope:
    """The scope in the URL. Defaults to live mode, today and all merchants."""
    mode = Mode.TEST if asked.get("mode") == Mode.TEST else Mode.LIVE
    days = next((days for days in PERIODS if str(days) == asked.get("days")), 1)
    merchant = next((pk for pk in merchants if str(pk) == asked.get("merchant")), None)
    return Scope(mode=mode, days=days, merchant_id=merchant, now=read_clock())
