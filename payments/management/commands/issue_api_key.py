"""`manage.py issue_api_key <merchant-slug> --mode live|test`: prints a new API key and nothing else."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from payments.domain.states import Mode
from payments.models import Merchant
from payments.usecases.merchants import issue_api_key


class Command(BaseCommand):
    help = "Issue an API key for a merchant. It is printed once and stored only as a digest."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("merchant", help="the merchant's slug, such as `ficmart`")
        parser.add_argument(
            "--mode", choices=[mode.value for mode in Mode], required=True, help="live moves real money"
        )

    def handle(self, *_args: Any, merchant: str, mode: str, **_options: Any) -> None:
        try:
            issued = issue_api_key(slug=merchant, mode=Mode(mode))
        except Merchant.DoesNotExist:
            known = ", ".join(Merchant.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no merchant {merchant!r}. Merchants: {known}.") from None
        self.stdout.write(issued.plain)
