"""`manage.py create_merchant <slug> --name NAME`: creates a merchant with the default routes.

manage.py create_merchant bookshop --name "The Book Shop"
manage.py create_merchant bookshop --name "The Book Shop" --writes 600 --reads 6000
"""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_slug

from office.log.staff import Operator
from payments.domain.cards import contains_typed_card_number
from payments.domain.rates import MOST_REQUESTS, Limits
from payments.models import Merchant
from payments.usecases.merchants import create_merchant


class Command(BaseCommand):
    help = "Create a merchant with the default routes. `issue_api_key` issues its keys."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="its short name in commands, such as `ficmart`; it never changes")
        parser.add_argument("--name", required=True, help="as staff and the merchant see it")
        limits: Limits = settings.RATE_LIMITS
        parser.add_argument("--writes", type=int, help=f"requests in 60 s and mode; default {limits.writes}")
        parser.add_argument("--reads", type=int, help=f"the same, and retries; default {limits.reads}")

    def handle(self, *_args: Any, slug: str, name: str, **options: Any) -> None:
        name = name.strip()
        _check(slug, name)
        limits = None
        if options["writes"] is not None or options["reads"] is not None:
            default: Limits = settings.RATE_LIMITS
            given = {budget: options[budget] for budget in ("writes", "reads") if options[budget] is not None}
            if not all(1 <= requests <= MOST_REQUESTS for requests in given.values()):
                raise CommandError(f"A limit must be from 1 to {MOST_REQUESTS}.")
            limits = Limits(**{"writes": default.writes, "reads": default.reads} | given)
        if Merchant.objects.filter(slug=slug).exists():
            raise CommandError(f"There is a merchant {slug!r} already.")
        create_merchant(slug=slug, name=name, limits=limits, by=Operator())
        self.stdout.write(f"Created {slug}. Its first key: manage.py issue_api_key {slug} --mode test")


def _check(slug: str, name: str) -> None:
    """Raises CommandError."""
    try:
        validate_slug(slug)
    except ValidationError:
        raise CommandError("The slug must be of letters, digits, hyphens and underscores.") from None
    if len(slug) > 50 or not 0 < len(name) <= 100:
        raise CommandError("The slug has at most 50 characters, the name 1 to 100.")
    if contains_typed_card_number(slug) or contains_typed_card_number(name):
        raise CommandError("This looks like a card number. FicPay does not store card numbers.")
