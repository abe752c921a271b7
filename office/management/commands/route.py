"""`manage.py route <merchant-slug>`: shows or changes which bank serves which of a merchant's currencies.

manage.py route ficmart
manage.py route ficmart --mode live --currency EUR --bank acquirer --reason "contract of May"
manage.py route ficmart --mode live --currency EUR --remove --reason "contract ended"
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from office.log.staff import Operator
from office.merchants.routes import NoSuchRoute, change_route
from payments.domain.money import Currency
from payments.domain.states import Mode
from payments.models import Merchant, Route


class Command(BaseCommand):
    help = "Show a merchant's routes, or change one. Existing payments keep their bank."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("merchant", help="the merchant's slug, such as `ficmart`")
        parser.add_argument("--mode", choices=[mode.value for mode in Mode])
        parser.add_argument("--currency", choices=[currency.value for currency in Currency])
        target = parser.add_mutually_exclusive_group()
        target.add_argument("--bank", help="the bank that will serve the currency")
        target.add_argument("--remove", action="store_true", help="accept no new payments in the currency")
        parser.add_argument("--reason", default="", help="why, for the log")

    def handle(
        self, *_args: Any, merchant: str, mode: str, currency: str, bank: str, remove: bool, **options: Any
    ) -> None:
        if not Merchant.objects.filter(slug=merchant).exists():
            known = ", ".join(Merchant.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no merchant {merchant!r}. Merchants: {known}.")
        if bank or remove:
            self._change(merchant, mode, currency, None if remove else bank, options["reason"].strip())
        elif mode or currency:
            raise CommandError("Add --bank or --remove. To list the routes, give only the merchant.")
        for route in Route.objects.filter(merchant__slug=merchant).order_by("mode", "currency"):
            self.stdout.write(f"{route.mode:4}  {route.currency}  {route.bank}")

    def _change(self, slug: str, mode: str, currency: str, bank: str | None, reason: str) -> None:
        if not (mode and currency and reason):
            raise CommandError("To change a route, give --mode, --currency and --reason.")
        try:
            is_new = change_route(
                Operator(), slug=slug, mode=Mode(mode), currency=Currency(currency), bank=bank, reason=reason
            )
        except NoSuchRoute as no:
            raise CommandError(str(no)) from None
        if not is_new:
            self.stderr.write("Nothing changed: the route was already set like this.")
