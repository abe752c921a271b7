"""`manage.py reset_second_factor <username>`: for those whose phone is lost. The log has it."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from office.door import second_factor
from office.log.staff import Operator
from payments.domain.cards import people_wrote_card_number


class Command(BaseCommand):
    help = "Remove a user's second factor. Make sure first that it is they who ask."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", default="", help="why, for the log")

    def handle(self, *_args: Any, username: str, reason: str, **_options: Any) -> None:
        if people_wrote_card_number(reason):
            raise CommandError("The reason looks like a card number, which FicPay does not keep.")
        user = get_user_model().objects.filter(username=username).first()
        if user is None:
            raise CommandError("There is no user of that name.")
        if not second_factor.reset(Operator(), user, reason=reason.strip()):
            raise CommandError("The user has no second factor.")
        self.stdout.write(f"The next login of {username} asks for the password alone.")
