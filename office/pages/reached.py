"""Filters by the state that payments reached and when, and by decline code."""

from django.db.models import QuerySet
from django.http import HttpRequest

from office.dashboard.figures import MONEY_STATES
from office.pages.fields import FieldsFilter, WrongFilter, on_days
from office.search.models import FoundPayment
from payments.domain.states import PaymentState
from payments.models import refunds_made


class ReachedFilter(FieldsFilter):
    """Payments that were authorized, captured or refunded on these days, whenever they were created."""

    title = "reached"
    inputs = (
        ("choice", "reached", "Reached"),
        ("date", "reached_from", "Reached from"),
        ("date", "reached_to", "Reached to"),
    )
    choosable = tuple(MONEY_STATES)

    def narrow(self, request: HttpRequest, rows: QuerySet[FoundPayment]) -> QuerySet[FoundPayment]:
        state, first, last = (self.given.get(name, "") for name in self.names())
        if not state and (first or last):
            raise WrongFilter(
                "Choose which state was reached on these days: AUTHORIZED, CAPTURED or REFUNDED."
            )
        if not state:
            return rows
        if state not in MONEY_STATES:
            raise WrongFilter("“Reached” must be AUTHORIZED, CAPTURED or REFUNDED.")
        if state == PaymentState.REFUNDED:  # includes partial refunds
            made = refunds_made().order_by().filter(payment__isnull=False)
            made = on_days(request, made, "finished_at", first, last)
            return rows.filter(pk__in=made.values("payment"))
        field = f"{state.lower()}_at"
        return on_days(request, rows.filter(**{f"{field}__isnull": False}), field, first, last)


class DeclineCodeFilter(FieldsFilter):
    """Declines with one code. Visible only if set, by a link from the dashboard."""

    title, hides = "decline code", True
    inputs = (("text", "decline_code", "Decline code"),)

    def narrow(self, request: HttpRequest, rows: QuerySet[FoundPayment]) -> QuerySet[FoundPayment]:
        code = self.given.get("decline_code", "")
        return rows.filter(decline_code=code) if code else rows
