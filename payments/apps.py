from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = "Payments"

    def ready(self) -> None:
        """Tell the engine what outcomes do to payments: it imports no use case."""
        from payments.engine import conclude  # noqa: PLC0415 - models are ready only now
        from payments.usecases import outcomes  # noqa: PLC0415

        conclude.EFFECTS.update(outcomes.EFFECTS)
