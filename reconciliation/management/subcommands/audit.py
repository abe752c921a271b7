"""`reconcile audit`: checks every rule of the books."""

from typing import Any

from django.core.management.base import CommandParser

from reconciliation.management.subcommands.base import ExitCode, Subcommand, add_json
from reconciliation.services import audit
from reconciliation.services.audit_rules import RULES


class Audit(Subcommand):
    """Name each violation of each rule."""

    name = "audit"
    help = "check every rule of the books and list all violations"

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        add_json(parser)

    def run(self, *, json: bool, **_: Any) -> ExitCode:
        found = audit.violations()
        if json:
            self.print_json({"rules": len(RULES), "violations": [vars(one) for one in found]})
        else:
            for one in found:
                self.stdout.write(f"{one.rule}: {one.subject}: {one.detail}\n    {one.says}")
            self.stdout.write(f"{len(RULES)} rules, {len(found)} violations.")
        return ExitCode.OPEN if found else ExitCode.CLEAN
