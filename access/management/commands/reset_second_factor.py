"""`manage.py reset_second_factor <username>`: for those whose phone is lost."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from access import second_factor


class Command(BaseCommand):
    help = "Remove a user's second factor. Make sure first that it is they who ask."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *_args: Any, username: str, **_options: Any) -> None:
        user = get_user_model().objects.filter(username=username).first()
        if user is None:
            raise CommandError("There is no user of that name.")
        if not second_factor.reset(user):
            raise CommandError("The user has no second factor.")
        self.stdout.write(f"The next login of {username} asks for the password alone.")
