"""Changes a merchant's fees: what it pays for each capture in one mode and currency, from now on."""

from django.db import transaction

from office.log.staff import Operator, Staff, log_action
from payments.domain.money import MAX_AMOUNT_MINOR, Currency
from payments.domain.settlement import BASIS_POINTS
from payments.domain.states import Mode
from payments.models import Event, Merchant
from reconciliation.models import FeeTerms


class NoSuchFees(Exception):
    """The fees are out of range. The message is for staff."""


def change_fees(
    who: Staff | Operator,
    *,
    slug: str,
    mode: Mode,
    currency: Currency,
    basis_points: int,
    fixed_minor: int,
    reason: str,
) -> bool:
    """Charge these fees for captures from now on. Earlier captures keep theirs.

    `fixed_minor` is in minor units. False if nothing changes. Raises Merchant.DoesNotExist and NoSuchFees.
    """
    if not 0 <= basis_points <= BASIS_POINTS:
        raise NoSuchFees(f"Basis points are from 0 to {BASIS_POINTS}, which is 100%.")
    if not 0 <= fixed_minor <= MAX_AMOUNT_MINOR:
        raise NoSuchFees(f"The fixed part is from 0 to {MAX_AMOUNT_MINOR} minor units.")
    with transaction.atomic():
        merchant = Merchant.objects.get(slug=slug)
        before = fees_of(merchant, mode, currency)
        old = (before.basis_points, before.fixed_minor) if before else (0, 0)
        if old == (basis_points, fixed_minor):
            return False
        FeeTerms.objects.create(
            merchant=merchant,
            mode=mode,
            currency=currency,
            basis_points=basis_points,
            fixed_minor=fixed_minor,
        )
        changed = {"basis_points": (old[0], basis_points), "fixed_minor": (old[1], fixed_minor)}
        log_action(
            who,
            Event.Type.FEES_CHANGED,
            merchant=merchant.slug,
            fees=f"{mode} {currency}",
            changed={name: {"from": a, "to": b} for name, (a, b) in changed.items() if a != b},
            reason=reason,
        )
    return True


def fees_of(merchant: Merchant, mode: str, currency: str) -> FeeTerms | None:
    """The terms in force now; None if there are none, and captures cost nothing."""
    terms = FeeTerms.objects.filter(merchant=merchant, mode=mode, currency=currency)
    return terms.order_by("-valid_from").first()
