"""The dashboard's figures: payments, money, declines and unsettled operations. Banks: `banks`.

Every figure is one SQL statement that an index limits to the period or to unsettled rows. Payments are
counted in the search's tables, which follow the payments within moments. Modes are never mixed, currencies
never added. Amounts are in minor units, times in UTC.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q, QuerySet, Sum, Value
from django.db.models.functions import TruncDay, TruncHour

from office.pages.books import banks_in
from office.search.models import FoundPayment
from payments.domain.days import begin_of
from payments.domain.states import UNFINISHED_OPERATIONS, Mode, OperationKind, OperationState, PaymentState
from payments.models import Discrepancy, Operation, standing_proposals
from payments.models.discrepancies import LATE_HOLD
from reconciliation.services.differences import open_differences

# The states in which money was held, taken or given back.
MONEY_STATES = (PaymentState.AUTHORIZED, PaymentState.CAPTURED, PaymentState.REFUNDED)
UNSUCCESSFUL = (PaymentState.DECLINED, PaymentState.FAILED)
_UNDECIDED = (PaymentState.PENDING, PaymentState.FAILED)
Amounts = dict[str, int]  # minor units by currency


@dataclass(frozen=True)
class Scope:
    """Which payments the page is about: mode, merchant, and the last `days` UTC days including today."""

    mode: Mode
    days: int
    now: datetime
    merchant_id: int | None = None

    @property
    def last_day(self) -> date:
        return self.now.astimezone(UTC).date()

    @property
    def first_day(self) -> date:
        return self.last_day - timedelta(days=self.days - 1)

    @property
    def begin(self) -> datetime:
        return begin_of(self.first_day)

    @property
    def end(self) -> datetime:
        """The end of the period, not included."""
        return begin_of(self.last_day + timedelta(days=1))

    @property
    def step(self) -> timedelta:
        """The time that one column of a chart covers."""
        return timedelta(hours=1) if self.days == 1 else timedelta(days=1)

    @property
    def payments(self) -> Q:
        """The payments of this mode and merchant, of any day."""
        mine = Q(merchant_id=self.merchant_id) if self.merchant_id else Q()
        return Q(mode=self.mode) & mine

    def through(self, relation: str) -> Q:
        """The rows whose payment is of this mode and merchant.

        Releases of stray holds have no payment. They count as live: only a real bank's statement shows
        strays.
        """
        of_payment = Q(**{f"{relation}__mode": self.mode})
        if self.merchant_id:
            return of_payment & Q(**{f"{relation}__merchant_id": self.merchant_id})
        return of_payment | Q(**{f"{relation}__isnull": True}) if self.mode is Mode.LIVE else of_payment


@dataclass(frozen=True)
class Group:
    """Payments of one hour or day with the same state, decline code and currency."""

    begin: datetime
    state: PaymentState
    decline_code: str
    currency: str
    count: int
    amount_minor: int


@dataclass(frozen=True)
class Made:
    """The payments created in the period, by their current state."""

    groups: list[Group]

    @property
    def count(self) -> int:
        return sum(group.count for group in self.groups)

    def in_state(self, *states: PaymentState) -> int:
        return sum(group.count for group in self.groups if group.state in states)

    def amounts_in(self, state: PaymentState) -> Amounts:
        return sum_by_currency(
            (group.currency, group.amount_minor) for group in self.groups if group.state is state
        )

    @property
    def decided(self) -> int:
        """How many were approved or declined, by the issuer or by our screening."""
        return self.count - self.in_state(*_UNDECIDED)

    @property
    def declines(self) -> list[tuple[str, int]]:
        """Each decline code with its count, the most frequent first."""
        codes: Counter[str] = Counter()
        for group in self.groups:
            if group.decline_code:
                codes[group.decline_code] += group.count
        return sorted(codes.items(), key=lambda one: (-one[1], one[0]))

    def at(self, begin: datetime) -> "Made":
        """The payments of one hour or day."""
        return Made([group for group in self.groups if group.begin == begin])


def payments_made(scope: Scope) -> Made:
    """The payments created in the period."""
    truncate = TruncHour if scope.days == 1 else TruncDay
    rows = (
        FoundPayment.objects.filter(scope.payments, created_at__gte=scope.begin, created_at__lt=scope.end)
        .annotate(begin=truncate("created_at", tzinfo=UTC))
        .values_list("begin", "state", "decline_code", "currency")
        .annotate(count=Count("pk"), total=Sum("amount_minor"))
        .order_by()
    )
    return Made([Group(begin, PaymentState(state), *rest) for begin, state, *rest in rows])


@dataclass(frozen=True)
class Reached:
    """Payments that reached a state in the period, whenever they were created."""

    count: int
    amounts: Amounts


def money(scope: Scope) -> dict[PaymentState, Reached]:
    """What was authorized, captured and refunded in the period."""
    first, *others = (
        _that_reached(PaymentState.AUTHORIZED, "amount_minor", scope),
        _that_reached(PaymentState.CAPTURED, "captured_minor", scope),
        _refunds(scope),
    )
    rows = list(first.union(*others, all=True))
    return {
        state: Reached(
            count=sum(count for reached, _, count, _ in rows if reached == state),
            amounts=sum_by_currency(
                (currency, total) for reached, currency, _, total in rows if reached == state
            ),
        )
        for state in MONEY_STATES
    }


def _refunds(scope: Scope) -> QuerySet[Operation, Any]:
    """Full and partial refunds made in the period."""
    made = Operation.objects.filter(
        scope.through("payment"),
        kind=OperationKind.REFUND,
        state=OperationState.SUCCEEDED,
        finished_at__gte=scope.begin,
        finished_at__lt=scope.end,
    )
    return (
        made.values_list("currency")
        .annotate(count=Count("payment", distinct=True), total=Sum("amount_minor"))
        .order_by()
        .values_list(Value(PaymentState.REFUNDED.value), "currency", "count", "total")
    )


def _that_reached(state: PaymentState, amount: str, scope: Scope) -> QuerySet[FoundPayment, Any]:
    at = f"{state.lower()}_at"
    period = {f"{at}__gte": scope.begin, f"{at}__lt": scope.end}
    return (
        FoundPayment.objects.filter(scope.payments, **period)
        .values_list("currency")
        .annotate(count=Count("pk"), total=Sum(amount))
        .order_by()
        .values_list(Value(state.value), "currency", "count", "total")
    )


@dataclass(frozen=True)
class Unsettled:
    """The number of unsettled items, and since when the oldest is unsettled."""

    count: int
    since: datetime | None


@dataclass(frozen=True)
class Attention:
    """What is unsettled now, regardless of the period.

    In doubt and awaiting a statement: payments. Needs review: operations, including releases. Then releases
    in doubt, open cases of late holds, pending proposals, and open differences.
    """

    in_doubt: Unsettled
    needs_review: Unsettled
    awaiting_statement: Unsettled
    releases: Unsettled
    late_holds: Unsettled
    proposals: Unsettled
    differences: Unsettled


def attention(scope: Scope) -> Attention:
    """Count what is unsettled now. An operation whose lease is still held is in flight, not in doubt."""
    release = Q(kind=OperationKind.RELEASE)
    silent = Q(state=OperationState.OPEN, lease_expires_at__lte=scope.now)
    kinds = {
        "in_doubt": ("payment", silent & ~release),
        "needs_review": ("pk", Q(state=OperationState.NEEDS_REVIEW)),
        "awaiting_statement": ("payment", Q(awaiting_statement=True)),
        "releases": ("pk", silent & release),
    }
    figures: dict[str, Any] = {}
    for name, (counted, condition) in kinds.items():
        figures[f"{name}_count"] = Count(counted, distinct=True, filter=condition)
        figures[f"{name}_since"] = Min("created_at", filter=condition)
    found = (
        Operation.objects.filter(Q(state__in=UNFINISHED_OPERATIONS) | Q(awaiting_statement=True))
        .filter(scope.through("payment"))
        .aggregate(**figures)
    )
    return Attention(
        late_holds=_late_holds(scope),
        proposals=_proposals(scope),
        differences=_differences(scope),
        **{name: Unsettled(found[f"{name}_count"], found[f"{name}_since"]) for name in kinds},
    )


def _late_holds(scope: Scope) -> Unsettled:
    found = (
        Discrepancy.objects.filter(kind=LATE_HOLD, closed_at=None)
        .filter(scope.through("payment"))
        .aggregate(count=Count("pk"), since=Min("opened_at"))
    )
    return Unsettled(**found)


def _proposals(scope: Scope) -> Unsettled:
    found = (
        standing_proposals()
        .filter(scope.through("payment"))
        .aggregate(count=Count("pk"), since=Min("proposed_at"))
    )
    return Unsettled(**found)


def _differences(scope: Scope) -> Unsettled:
    mine = Q(merchant=scope.merchant_id) if scope.merchant_id else Q()
    found = (
        open_differences()
        .order_by()
        .filter(mine, bank__in=banks_in(scope.mode))
        .aggregate(count=Count("pk"), since=Min("happened_at"))
    )
    return Unsettled(**found)


def sum_by_currency(amounts: Iterable[tuple[str, int]]) -> Amounts:
    """The sum of minor units per currency."""
    sums: Counter[str] = Counter()
    for currency, amount in amounts:
        sums[currency] += amount
    return dict(sorted(sums.items()))
