"""The differences about one payment, for its page."""

from django.http import HttpRequest
from django.utils.safestring import SafeString

from office.differences.words import amount_of, state_of
from office.pages.books import VIEW
from payments.models import Payment
from reconciliation.models import Difference


def differences_of(request: HttpRequest, payment: Payment) -> list[tuple[Difference, SafeString, str]]:
    """Each with its state and amount, open ones first; none for readers without the permission."""
    if not request.user.has_perm(VIEW):
        return []
    found = Difference.objects.filter(payment=payment).order_by("-closed_at", "id")
    return [(one, state_of(one), amount_of(one)) for one in found]
