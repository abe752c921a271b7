"""`manage.py seed`: creates what a new installation needs for its first payment. Safe to run again.

The plain credentials are kept in the file of `--credentials` (JSON, mode 0600). Only those that are missing
or no longer work are replaced.
"""

import json
import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from payments.domain.rates import Limits
from payments.domain.states import Mode
from payments.usecases.merchants import NewKey, create_merchant, find_api_key, issue_api_key

SLUG = "ficmart"
ADMIN = "admin"
# FicMart's peak is some hundred payments a second.
LIMITS = Limits(writes=60_000, reads=120_000)


class Command(BaseCommand):
    help = "Create the merchant FicMart, a live and a test API key and an admin user, unless they exist."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--credentials", type=Path, required=True, help="the file that keeps the plain credentials"
        )

    def handle(self, *_args: Any, credentials: Path, **_options: Any) -> None:
        kept = _read(credentials)
        create_merchant(slug=SLUG, name="FicMart", limits=LIMITS)
        for mode in Mode:
            name = f"{mode.value}_api_key"
            if not find_api_key(kept.get(name, "")):
                kept[name] = issue_api_key(slug=SLUG, mode=mode, wanted=NewKey(name="seed")).plain
        kept["admin_username"] = ADMIN
        _write(credentials, kept)  # now: a key is shown only once, and the code below may fail
        if not _is_password_of_admin(kept.get("admin_password", "")):
            kept["admin_password"] = _set_up_admin()
            _write(credentials, kept)
        self.stdout.write(f"Merchant {SLUG}, its API keys and the user {ADMIN} are in {credentials}.")


def _is_password_of_admin(password: str) -> bool:
    user = get_user_model().objects.filter(username=ADMIN, is_active=True).first()
    return user is not None and user.check_password(password)


def _set_up_admin() -> str:
    """The admin's new password. Raises CommandError rather than take over an account outside development."""
    password = secrets.token_urlsafe(18)
    user, is_new = get_user_model().objects.get_or_create(
        username=ADMIN, defaults={"is_staff": True, "is_superuser": True}
    )
    if not is_new and not settings.DEBUG:
        raise CommandError(
            f"The user {ADMIN} exists, but the file does not contain its password. "
            f"Set a new one with `manage.py changepassword {ADMIN}`."
        )
    user.set_password(password)
    user.save(update_fields=["password"])
    return password


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text())
        return {str(name): str(value) for name, value in kept.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise CommandError(f"{path} is not a credentials file. Move it away and try again.") from error


def _write(path: Path, kept: dict[str, str]) -> None:
    """Replace the file atomically. Only its owner can ever read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(kept, file, indent=2)
    new.replace(path)
