"""The dashboard's figures about the banks' health, from their attempts of the last hour and the UTC day."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Aggregate, Count, F, FloatField, Q

from office.dashboard.figures import Scope
from payments.domain.days import begin_of
from payments.domain.replies import Said
from payments.models import Attempt


@dataclass(frozen=True)
class Health:
    """A bank's ended attempts in a period. Times are in milliseconds, of the attempts that were sent.

    Declines and bank errors are replies and count as no failure.
    """

    attempts: int
    errors: int  # the bank did nothing: a 5xx, or a 429
    silent: int
    not_sent: int  # no connection, or none tried
    median_ms: float | None
    p95_ms: float | None

    @property
    def failures(self) -> int:
        return self.errors + self.silent + self.not_sent


@dataclass(frozen=True)
class Bank:
    """One bank's last hour, and its UTC day so far."""

    name: str
    last_hour: Health
    today: Health


class Percentile(Aggregate):
    """PostgreSQL's `percentile_cont`."""

    function = "percentile_cont"
    name = "Percentile"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


def bank_health(scope: Scope) -> list[Bank]:
    """The banks that had an attempt in the last hour or today, for all merchants, by name."""
    begins = {"last_hour": scope.now - timedelta(hours=1), "today": begin_of(scope.last_day)}
    everyone = Scope(mode=scope.mode, days=1, now=scope.now)
    attempts = Attempt.objects.filter(
        everyone.through("operation__payment"), started_at__gte=min(begins.values()), ended_at__isnull=False
    )
    figures: dict[str, Any] = {}
    for name, begin in begins.items():
        figures |= _figures_since(name, begin)
    rows = attempts.values(name=F("operation__bank")).annotate(**figures).order_by("name")
    return [Bank(row["name"], *(_health_in(dict(row), name) for name in begins)) for row in rows]


def _figures_since(name: str, begin: datetime) -> dict[str, Any]:
    within = Q(started_at__gte=begin)
    sent = within & ~Q(result=Attempt.Result.NOT_SENT)
    conditions = {
        "attempts": within,
        "errors": within & Q(said=Said.NOT_DONE),
        "silent": within & Q(result=Attempt.Result.SILENT),
        "not_sent": within & Q(result=Attempt.Result.NOT_SENT),
    }
    counts = {f"{name}_{what}": Count("pk", filter=condition) for what, condition in conditions.items()}
    return counts | {
        f"{name}_median_ms": Percentile("duration_ms", fraction=0.5, filter=sent),
        f"{name}_p95_ms": Percentile("duration_ms", fraction=0.95, filter=sent),
    }


def _health_in(row: dict[str, Any], name: str) -> Health:
    fields = ("attempts", "errors", "silent", "not_sent", "median_ms", "p95_ms")
    return Health(**{field: row[f"{name}_{field}"] for field in fields})
