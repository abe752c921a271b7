"""`reconcile correct`: settled money that was wrong is put right by a posting."""

from typing import Any

from django.core.management.base import CommandParser

from payments.domain.ids import OPERATION_PREFIX, parse_public_id
from payments.domain.money import display
from payments.models import Operation
from reconciliation.management.subcommands.base import (
    ExitCode,
    Subcommand,
    add_json,
    fail,
    settlement_named,
)
from reconciliation.services.correct import CorrectionRefused, correct


class Correct(Subcommand):
    """Correct a settlement. It joins the merchant's next one."""

    name = "correct"
    help = "correct a settlement by an amount that joins the merchant's next one"

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument("settlement", metavar="STL_ID", help="the settlement that was wrong (stl_...)")
        parser.add_argument(
            "--amount",
            type=int,
            required=True,
            metavar="MINOR",
            help="in minor units, in favor of the merchant; against it with a minus: --amount=-500",
        )
        parser.add_argument("--reason", required=True, help="why; the merchant sees it")
        parser.add_argument("--operation", metavar="OP_ID", help="what was settled wrongly (op_...)")
        add_json(parser)

    def run(
        self, *, settlement: str, amount: int, reason: str, operation: str | None, json: bool, **_: Any
    ) -> ExitCode:
        found = settlement_named(settlement)
        try:
            correction = correct(
                found,
                amount_minor=amount,
                reason=reason,
                actor="operator",
                operation=_operation_named(operation) if operation else None,
            )
        except CorrectionRefused as refused:
            fail(str(refused))
        if json:
            self.print_json({"settlement": found.public_id, "amount": amount, "reason": correction.reason})
        else:
            told = display(amount, found.currency)
            self.stdout.write(f"{found.public_id} is corrected by {told}, in the next settlement.")
        return ExitCode.CLEAN


def _operation_named(text: str) -> Operation:
    operation_id = parse_public_id(OPERATION_PREFIX, text)
    operation = Operation.objects.filter(pk=operation_id).first() if operation_id else None
    if operation is None:
        fail(f"There is no operation {text}.")
    return operation
