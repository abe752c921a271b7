"""Django's entries for this package."""

from typing import Any

from django.apps import AppConfig
from django.contrib.admin import apps
from django.db.models.signals import post_migrate


class OfficeConfig(AppConfig):
    name = "office"
    verbose_name = "Back office"
    default = True

    def ready(self) -> None:
        # After the permissions of the applications above this one in INSTALLED_APPS have been made.
        post_migrate.connect(_make_groups, sender=self)


def _make_groups(**signal: Any) -> None:
    from office.door.roles import make_groups  # noqa: PLC0415 - models exist once the applications are ready

    make_groups(**signal)


class BackOfficeConfig(apps.AdminConfig):
    """Django's admin with our site instead of its own."""

    default = False
    default_site = "office.door.site.BackOffice"
