"""Changes a route: the bank that serves a merchant's new payments in one mode and currency."""

from django.db import transaction

from office.log.staff import Operator, Staff, log_action
from payments.domain.money import Currency
from payments.domain.states import Mode, OperationKind
from payments.engine.abilities import banks_for, banks_that_can
from payments.models import Event, Merchant, Route
from payments.models.clock import ClockTimestamp


class NoSuchRoute(Exception):
    """The bank does not exist or cannot serve the route. The message is for staff."""


def change_route(
    who: Staff | Operator, *, slug: str, mode: Mode, currency: Currency, bank: str | None, reason: str
) -> bool:
    """Send the merchant's new payments in this mode and currency to this bank, or refuse them if `bank` is
    None.

    Existing payments keep their bank. False if nothing changes. Raises Merchant.DoesNotExist, and NoSuchRoute
    if the bank does not support this currency in this mode.
    """
    able, all_banks = banks_for(mode, currency), banks_that_can(OperationKind.AUTHORIZE)
    if bank is not None and bank not in all_banks:
        raise NoSuchRoute(f"There is no bank {bank}. Banks: {', '.join(all_banks)}.")
    if bank is not None and bank not in able:
        known = f"Banks that support it: {', '.join(able)}." if able else "No bank supports it."
        raise NoSuchRoute(f"{bank} does not support {currency} in {mode} mode. {known}")
    with transaction.atomic():
        merchant = Merchant.objects.get(slug=slug)
        routes = Route.objects.select_for_update().filter(merchant=merchant, mode=mode, currency=currency)
        before = routes.values_list("bank", flat=True).first()
        if before == bank:
            return False
        if bank is None:
            routes.delete()
        else:
            Route.objects.update_or_create(
                merchant=merchant,
                mode=mode,
                currency=currency,
                defaults={"bank": bank, "changed_at": ClockTimestamp()},
            )
        log_action(
            who,
            Event.Type.ROUTE_CHANGED,
            merchant=merchant.slug,
            route=f"{mode} {currency}",
            changed={"bank": {"from": before, "to": bank}},
            reason=reason,
        )
    return True
