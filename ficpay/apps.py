"""The project itself as a Django app: its commands and system checks."""

from django.apps import AppConfig


class FicPayConfig(AppConfig):
    name = "ficpay"

    def ready(self) -> None:
        from ficpay import privileges  # noqa: F401, PLC0415 - registers its check
        from ficpay.database import checks  # noqa: F401, PLC0415 - likewise
