"""Django's entries for this package."""

from django.apps import AppConfig
from django.contrib.admin import apps


class AccessConfig(AppConfig):
    name = "access"
    default = True


class BackOfficeConfig(apps.AdminConfig):
    """Django's admin with our site instead of its own."""

    default = False
    default_site = "access.site.BackOffice"
