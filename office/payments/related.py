"""Payments related to one payment: of the same order, and likely duplicates."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q
from django.utils.safestring import SafeString

from office.pages.words import as_written, state_label, utc
from office.search.models import FoundPayment
from payments.domain.money import display
from payments.domain.states import PaymentState
from payments.models import Payment

SIBLINGS_AT_MOST = 10
# A customer who clicks twice, or tries again with a second order, does so within a day.
DUPLICATE_WITHIN = timedelta(hours=24)
_WITH_MONEY = (PaymentState.PENDING, PaymentState.AUTHORIZED, PaymentState.CAPTURED)


@dataclass(frozen=True)
class Related:
    """A related payment. `is_duplicate` if it looks like the same purchase, paid twice."""

    payment: Payment
    is_duplicate: bool

    @property
    def order(self) -> SafeString:
        return as_written(self.payment.order_id)

    @property
    def amount(self) -> str:
        return display(self.payment.amount_minor, self.payment.currency)

    @property
    def state(self) -> SafeString:
        return state_label(self.payment.state)

    @property
    def created(self) -> SafeString | str:
        return utc(self.payment.created_at)


def related_to(payment: Payment) -> list[Related]:
    """Payments of the same order, or with the same card and amount within a day; newest first."""
    others = Payment.objects.filter(merchant=payment.merchant_id, mode=payment.mode).exclude(pk=payment.pk)
    newest = others.order_by("-created_at", "-id")
    found = list(newest.filter(order_id=payment.order_id)[:SIBLINGS_AT_MOST])
    duplicates = list(newest.filter(_same_purchase(payment))[:SIBLINGS_AT_MOST])
    both = {one.pk: Related(one, one in duplicates) for one in [*found, *duplicates]}
    return sorted(both.values(), key=lambda one: one.payment.created_at, reverse=True)


def _same_purchase(payment: Payment) -> Q:
    """Payments with the same card and amount within a day, if both have, or may have, the money.

    Compared by card, not by customer: a guest's second order has another customer id.
    """
    if payment.state not in _WITH_MONEY:
        return Q(pk=None)
    begin, end = payment.created_at - DUPLICATE_WITHIN, payment.created_at + DUPLICATE_WITHIN
    alike = FoundPayment.objects.filter(
        card_last4=payment.card_last4, amount_minor=payment.amount_minor, created_at__range=(begin, end)
    )
    card = Q(
        card_brand=payment.card_brand,
        card_expiry_month=payment.card_expiry_month,
        card_expiry_year=payment.card_expiry_year,
    )
    return Q(pk__in=alike.values("pk"), currency=payment.currency, state__in=_WITH_MONEY) & card
