"""The simulated bank's ledger as imported statements, as its clock and ours agree."""

from datetime import UTC, datetime, timedelta

from payments.domain.states import OperationKind
from reconciliation.models import StatementFile, StatementLine
from tests.support.book_factories import StatementFileFactory
from tests.support.simulated_bank import SimulatedBank
from tests.support.unguarded import unguarded

_KINDS = {
    "AUTH_HOLD": OperationKind.AUTHORIZE,
    "CAPTURE": OperationKind.CAPTURE,
    "VOID": OperationKind.VOID,
    "REFUND": OperationKind.REFUND,
}


def deliver(bank: SimulatedBank, *, since: timedelta, until: timedelta = timedelta(0)) -> StatementFile:
    """Import a file that covers from so long ago to so long ago, with the ledger's entries of that time.

    `let_pass` moves our rows back and the bank's clock on, so the bank's times are moved back as far.
    """
    now = datetime.now(UTC)
    ahead = bank.now() - now
    begins, ends = now - since, now - until
    file: StatementFile = StatementFileFactory(covers_from=begins, covers_to=ends)
    known = set(StatementLine.objects.values_list("reference", flat=True))
    lines = [
        StatementLine(
            file=file,
            number=number,
            bank=file.bank,
            kind=_KINDS[entry.type],
            reference=entry.id,
            target_reference=entry.reference_id or "",
            amount_minor=entry.amount,
            currency="USD",
            at=entry.created_at - ahead,
        )
        for number, entry in enumerate(bank.ledger(), start=2)
        if begins <= entry.created_at - ahead < ends and entry.id not in known
    ]
    with unguarded():
        StatementLine.objects.bulk_create(lines)
    return file
