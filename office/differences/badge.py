"""The number of open differences in live mode, for the menu."""

from django.http import HttpRequest

from office.pages.books import banks_in
from payments.domain.states import Mode
from reconciliation.services.differences import open_differences

_COUNTED_AT_MOST = 1000


def badge(_request: HttpRequest) -> str:
    """Empty if there are none."""
    count = open_differences().filter(bank__in=banks_in(Mode.LIVE)).order_by()[:_COUNTED_AT_MOST].count()
    return f"{count}+" if count == _COUNTED_AT_MOST else str(count or "")
