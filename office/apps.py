"""Django app configurations of this package."""

from typing import Any

from django.apps import AppConfig
from django.contrib.admin import apps
from django.db.models.signals import post_migrate, pre_migrate


class OfficeConfig(AppConfig):
    name = "office"
    verbose_name = "Back office"
    default = True
    _known: frozenset[str] | None = None  # the permissions from before a migration

    def ready(self) -> None:
        # `auth` creates each application's permissions with this signal, in their order; this one is the last
        # that has any.
        pre_migrate.connect(self._note_permissions, sender=self)
        post_migrate.connect(self._make_groups, sender=self)

    def _note_permissions(self, *, using: str, **_signal: Any) -> None:
        from office.door.roles import known_permissions  # noqa: PLC0415 - models exist once applications are ready

        self._known = known_permissions(using)

    def _make_groups(self, **_signal: Any) -> None:
        from office.door.roles import make_groups  # noqa: PLC0415 - as above

        known, self._known = self._known, None
        make_groups(known=known)


class BackOfficeConfig(apps.AdminConfig):
    """Django's admin with our site instead of its own."""

    default = False
    default_site = "office.door.site.BackOffice"
