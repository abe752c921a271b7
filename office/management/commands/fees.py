"""`manage.py fees <merchant-slug>`: shows or changes what a merchant pays for each capture.

manage.py fees ficmart
manage.py fees ficmart --mode live --currency USD --basis-points 290 --fixed 30 --reason "contract of May"
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from office.log.staff import Operator
from office.merchants.fees import NoSuchFees, change_fees
from payments.domain.money import Currency, display
from payments.domain.states import Mode
from payments.models import Merchant
from reconciliation.models import FeeTerms


class Command(BaseCommand):
    help = "Show a merchant's fees, or change them from now on. Captures of before keep their fees."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("merchant", help="the merchant's slug, such as `ficmart`")
        parser.add_argument("--mode", choices=[mode.value for mode in Mode])
        parser.add_argument("--currency", choices=[currency.value for currency in Currency])
        parser.add_argument("--basis-points", type=int, metavar="N", help="hundredths of a percent")
        parser.add_argument("--fixed", type=int, metavar="MINOR", help="for each capture, in minor units")
        parser.add_argument("--reason", default="", help="why, for the log")

    def handle(self, *_args: Any, merchant: str, **options: Any) -> None:
        if not Merchant.objects.filter(slug=merchant).exists():
            known = ", ".join(Merchant.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no merchant {merchant!r}. Merchants: {known}.")
        names = ("mode", "currency", "basis_points", "fixed", "reason")
        given = [name for name in names if options[name] not in (None, "")]
        if given:
            self._change(
                merchant, complete=len(given) == len(names), **{name: options[name] for name in names}
            )
        terms = FeeTerms.objects.filter(merchant__slug=merchant)
        for one in terms.order_by("mode", "currency", "valid_from"):
            share, fixed = f"{one.basis_points / 100:g}%", display(one.fixed_minor, one.currency)
            since = one.valid_from.isoformat(timespec="seconds")
            self.stdout.write(f"{one.mode:4}  {one.currency}  {share} + {fixed} since {since}")

    def _change(
        self,
        slug: str,
        *,
        complete: bool,
        mode: str,
        currency: str,
        basis_points: int,
        fixed: int,
        reason: str,
    ) -> None:
        if not complete:
            raise CommandError(
                "To change fees, give --mode, --currency, --basis-points, --fixed and --reason."
            )
        try:
            is_new = change_fees(
                Operator(),
                slug=slug,
                mode=Mode(mode),
                currency=Currency(currency),
                basis_points=basis_points,
                fixed_minor=fixed,
                reason=reason.strip(),
            )
        except NoSuchFees as no:
            raise CommandError(str(no)) from None
        if not is_new:
            self.stderr.write("Nothing changed: the fees were already like this.")
