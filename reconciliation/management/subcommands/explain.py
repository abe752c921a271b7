"""`reconcile explain`: one payment's chain of evidence."""

from typing import Any

from django.core.management.base import CommandParser

from reconciliation.management.subcommands.base import ExitCode, Subcommand, add_json, payment_named
from reconciliation.services.explain import explain


class Explain(Subcommand):
    """Tell what is known of a payment, and why."""

    name = "explain"
    help = "explain a payment's chain of evidence in sentences"

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument("payment", metavar="PAY_ID", help="the payment (pay_...)")
        add_json(parser)

    def run(self, *, payment: str, json: bool, **_: Any) -> ExitCode:
        sentences = explain(payment_named(payment))
        if json:
            self.print_json({"payment": payment, "sentences": [one.strip() for one in sentences]})
        else:
            self.stdout.write("\n".join(sentences))
        return ExitCode.CLEAN
