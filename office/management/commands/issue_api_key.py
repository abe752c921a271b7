"""`manage.py issue_api_key <merchant-slug> --mode live|test`: prints a new API key and nothing else.

manage.py issue_api_key ficmart --mode live
manage.py issue_api_key ficmart --mode live --name "reports" --scopes payments:read --expires-in-days 90
"""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from office.log.staff import Operator
from payments.domain.scopes import ALL_SCOPES, Scope, parse_scopes
from payments.domain.states import Mode
from payments.engine.refusals import Refused
from payments.models import Merchant
from payments.models.clock import read_clock
from payments.usecases.merchants import NewKey, issue_api_key

_ALL = ",".join(Scope)


class Command(BaseCommand):
    help = "Issue an API key for a merchant. It is printed once and stored only as a digest."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("merchant", help="the merchant's slug, such as `ficmart`")
        parser.add_argument(
            "--mode", choices=[mode.value for mode in Mode], required=True, help="live moves real money"
        )
        parser.add_argument("--name", default="", help="says what uses the key")
        parser.add_argument("--scopes", default="", help=f"parted by commas; the default is all: {_ALL}")
        parser.add_argument("--expires-in-days", type=int, help="the default is never")

    def handle(self, *_args: Any, merchant: str, mode: str, name: str, scopes: str, **options: Any) -> None:
        days = options["expires_in_days"]
        if days is not None and not 0 < days <= 36500:
            raise CommandError("--expires-in-days must be from 1 to 36500.")
        try:
            chosen = parse_scopes(scopes.replace(",", " ")) or ALL_SCOPES
        except ValueError:
            raise CommandError(f"Unknown scope. Scopes: {_ALL}.") from None
        try:
            wanted = NewKey(
                name=name.strip()[:100],
                scopes=chosen,
                expires_at=read_clock() + timedelta(days=days) if days else None,
            )
            issued = issue_api_key(slug=merchant, mode=Mode(mode), wanted=wanted, by=Operator())
        except Merchant.DoesNotExist:
            known = ", ".join(Merchant.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no merchant {merchant!r}. Merchants: {known}.") from None
        except Refused as refused:
            raise CommandError(refused.detail) from None
        self.stdout.write(issued.plain)
