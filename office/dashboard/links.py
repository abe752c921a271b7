"""The links of the dashboard's figures, each to the list of exactly the payments that it counts."""

from typing import Any
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

from office.dashboard.figures import Scope
from payments.domain.states import Mode, PaymentState

LIST = "admin:payments_payment_changelist"
DIFFERENCES = "admin:reconciliation_difference_changelist"
AWAITED = "admin:reconciliation_awaited"
REVIEW_QUEUE = "admin:payments_review_queue"


class Links:
    """The URLs of lists within one scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def here(self, **changed: Any) -> str:
        """The dashboard with another choice."""
        query: dict[str, Any] = {"mode": self._scope.mode.value, "days": self._scope.days}
        if self._scope.merchant_id:
            query["merchant"] = self._scope.merchant_id
        return f"?{urlencode(query | changed)}"

    def made(self, **query: str) -> str:
        """Payments created in the period."""
        first, last = str(self._scope.first_day), str(self._scope.last_day)
        return self.payments(**({"created_from": first, "created_to": last} | query))

    def reached(self, state: PaymentState) -> str:
        """Payments that reached the state in the period."""
        first, last = str(self._scope.first_day), str(self._scope.last_day)
        return self.payments(reached=state, reached_from=first, reached_to=last)

    def payments(self, **query: str) -> str:
        """Payments of any day."""
        mine = {"merchant": str(self._scope.merchant_id)} if self._scope.merchant_id else {}
        return f"{reverse(LIST)}?{urlencode(query | {'mode': self._scope.mode.value} | mine)}"

    def differences(self) -> str:
        """Open differences of this scope."""
        test = {"mode": "test"} if self._scope.mode is Mode.TEST else {}
        mine = {"merchant": str(self._scope.merchant_id)} if self._scope.merchant_id else {}
        query = urlencode(test | mine)
        return reverse(DIFFERENCES) + (f"?{query}" if query else "")

    @property
    def review_queue(self) -> str:
        """The review queue; empty if the page is not installed."""
        try:
            return reverse(REVIEW_QUEUE)
        except NoReverseMatch:
            return ""
