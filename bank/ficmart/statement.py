"""The daily statement: the only list that the bank gives, and the only place that shows a lost hold."""

import csv
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import TextIO

from bank.clock import day, rfc3339_from_database
from bank.ficmart.entries import CURRENCY
from bank.ficmart.ledger import LedgerUnusable

HEADER = ("entry_id", "type", "reference_id", "amount_cents", "currency", "created_at")


def write_statement(of: date, database: Path, output: TextIO) -> None:
    """Write the entries of one UTC day, oldest first. Raises LedgerUnusable.

    This only reads the ledger, so the bank may be running.
    """
    if not database.is_file():
        raise LedgerUnusable(f"There is no ledger at {database}.")
    rows = csv.writer(output, lineterminator="\n")
    rows.writerow(HEADER)
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as ledger:
        entries = ledger.execute(
            "SELECT id, kind, reference_id, amount_cents, created_at_ns FROM entries"
            " WHERE created_at_ns >= ? AND created_at_ns < ? ORDER BY created_at_ns, sequence",
            day(of),
        )
        for entry_id, kind, reference_id, amount_cents, created_at_ns in entries:
            written_at = rfc3339_from_database(created_at_ns)
            rows.writerow((entry_id, kind, reference_id or "", amount_cents, CURRENCY, written_at))
