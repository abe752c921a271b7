"""Django app configurations of this package."""

from typing import Any

from django.apps import AppConfig
from django.apps import apps as registry
from django.contrib.admin import apps
from django.db.models.signals import post_migrate


class OfficeConfig(AppConfig):
    name = "office"
    verbose_name = "Back office"
    default = True

    def ready(self) -> None:
        # After payments' permissions exist: `auth` gets this signal first and creates them.
        post_migrate.connect(_make_groups, sender=registry.get_app_config("payments"))


def _make_groups(**signal: Any) -> None:
    from office.door.roles import make_groups  # noqa: PLC0415 - models exist once the applications are ready

    make_groups(**signal)


class BackOfficeConfig(apps.AdminConfig):
    """Django's admin with our site instead of its own."""

    default = False
    default_site = "office.door.site.BackOffice"
