"""`manage.py seed`: what a new installation needs to take its first payment. Safe to run again.

With `--credentials FILE` the plain credentials are kept in that file (JSON, mode 0600), and only what is
missing there or no longer works is made anew.
"""

import json
import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from payments.domain.states import Mode
from payments.usecases.merchants import create_merchant, find_api_key, issue_api_key

SLUG = "ficmart"
ADMIN = "admin"


class Command(BaseCommand):
    help = "Create the merchant FicMart, a live and a test API key and an admin user, as far as missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--credentials", type=Path, required=True, help="the file in which the plain credentials are kept"
        )

    def handle(self, *_args: Any, credentials: Path, **_options: Any) -> None:
        kept = _read(credentials)
        create_merchant(slug=SLUG, name="FicMart")
        for mode in Mode:
            name = f"{mode.value}_api_key"
            if not find_api_key(kept.get(name, "")):
                kept[name] = issue_api_key(slug=SLUG, mode=mode).plain
        kept["admin_username"] = ADMIN
        _write(credentials, kept)  # a key is shown once: it must not be lost to what goes wrong below
        if not _is_password_of_admin(kept.get("admin_password", "")):
            kept["admin_password"] = _set_up_admin()
            _write(credentials, kept)
        self.stdout.write(f"Merchant {SLUG}, its API keys and the user {ADMIN} are in {credentials}.")


def _is_password_of_admin(password: str) -> bool:
    user = get_user_model().objects.filter(username=ADMIN, is_active=True).first()
    return user is not None and user.check_password(password)


def _set_up_admin() -> str:
    """The admin's new password. Somebody's account is not taken over outside development."""
    password = secrets.token_urlsafe(18)
    user, is_new = get_user_model().objects.get_or_create(
        username=ADMIN, defaults={"is_staff": True, "is_superuser": True}
    )
    if not is_new and not settings.DEBUG:
        raise CommandError(
            f"The user {ADMIN} exists, and the file does not hold its password. "
            f"`manage.py changepassword {ADMIN}` sets a new one."
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
        raise CommandError(f"{path} is not a file of credentials. Move it away and try again.") from error


def _write(path: Path, kept: dict[str, str]) -> None:
    """Replace the file in one step, readable by its owner alone from the first byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(kept, file, indent=2)
    new.replace(path)
