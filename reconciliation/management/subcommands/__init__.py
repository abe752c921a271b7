"""The subcommands of `manage.py reconcile`, a module each. A new one takes a module and a line here."""

from reconciliation.management.subcommands.audit import Audit
from reconciliation.management.subcommands.bank import CheckBank
from reconciliation.management.subcommands.base import Subcommand
from reconciliation.management.subcommands.correct import Correct
from reconciliation.management.subcommands.differences import ListDifferences
from reconciliation.management.subcommands.digest import Digest
from reconciliation.management.subcommands.expirations import Expirations
from reconciliation.management.subcommands.explain import Explain
from reconciliation.management.subcommands.pending import Pending
from reconciliation.management.subcommands.settle import Settle
from reconciliation.management.subcommands.settlement import ShowSettlement
from reconciliation.management.subcommands.statement import ImportStatement
from reconciliation.management.subcommands.test_statement import DeliverTestStatement

SUBCOMMANDS: tuple[type[Subcommand], ...] = (
    Pending,
    Expirations,
    Explain,
    Audit,
    ImportStatement,
    ListDifferences,
    Settle,
    ShowSettlement,
    Correct,
    DeliverTestStatement,
    CheckBank,
    Digest,
)
