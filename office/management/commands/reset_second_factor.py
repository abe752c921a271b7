"""`manage.py reset_second_factor <username>`: for a user who has lost their phone. The log records it."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from office.door import second_factor
from office.log.staff import Operator
from payments.domain.cards import contains_typed_card_number


class Command(BaseCommand):
    help = "Remove a user's second factor. Verify first that it is really the user who asks."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", default="", help="why, for the log")

    def handle(self, *_args: Any, username: str, reason: str, **_options: Any) -> None:
        if contains_typed_card_number(reason):
            raise CommandError("The reason looks like a card number, and FicPay does not store those.")
        user = get_user_model().objects.filter(username=username).first()
        if user is None:
            raise CommandError("There is no user with that name.")
        if not second_factor.reset(Operator(), user, reason=reason.strip()):
            raise CommandError("The user has no second factor.")
        self.stdout.write(f"At the next login, {username} needs only the password.")
