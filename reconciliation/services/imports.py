"""Imports a bank's statement: a file whole or not at all, each file once, and each line once.

The lines go into a temporary table as they are read, and from there into theirs by one statement. All of it
is one transaction, so that a process killed in the middle leaves nothing.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO

from django.db import OperationalError, connection

from payments.domain.abilities import StatementFormat
from payments.engine.abilities import abilities_of, statement_words
from payments.models.clock import read_clock
from payments.models.guards import is_locked
from payments.models.patience import unhurried
from reconciliation.models import StatementFile
from reconciliation.services.bank_lock import lock_bank
from reconciliation.services.statement_report import StatementReport
from reconciliation.statements.covered import covered
from reconciliation.statements.lines import Line, Malformed, Read, Unreadable
from reconciliation.statements.read import read

Progress = Callable[[int], object]  # is told how many more bytes have been read

_TOLD_EACH = 5000  # lines
_LONGEST_NAME = 255  # characters

_LOCK_FILE = "SELECT pg_advisory_xact_lock(hashtextextended('statement ' || %s::text, 0))"
_MEMORY = "SET LOCAL work_mem = '64MB'"
_PREPARE = """
    CREATE TEMPORARY TABLE arriving (
        number integer, kind text, reference text, target_reference text, amount_minor integer, currency text,
        at timestamptz
    ) ON COMMIT DROP
"""
_COPY = "COPY arriving FROM STDIN"
_NEXT_FILE = "SELECT nextval(pg_get_serial_sequence('reconciliation_statementfile', 'id'))"
# By reference: the largest index is then written from one end to the other.
_KEEP = """
    INSERT INTO reconciliation_statementline (
        file_id, bank, kind, reference, target_reference, amount_minor, currency, number, at, repeats
    )
    SELECT %(file)s::bigint, %(bank)s::text, kind, reference, target_reference, amount_minor, currency,
        min(number), min(at), least(count(*) - 1, 32767)
    FROM arriving
    GROUP BY kind, reference, target_reference, amount_minor, currency
    ORDER BY reference
    ON CONFLICT DO NOTHING
"""


class Refused(Exception):
    """Nothing of a file was imported. The message says why, in sentences for whoever delivered it."""

    def __init__(self, message: str, report: StatementReport | None = None) -> None:
        super().__init__(message)
        self.malformed: list[Malformed] = report.malformed if report else []  # the first of them
        self.malformed_lines: int = report.malformed_lines if report else 0
        self.sentences: list[str] = [message, *(report.malformed_sentences() if report else [])]


class Busy(Refused):
    """Another process imports or reconciles the bank's statements. The file may be imported later."""


class AlreadyImported(Refused):
    """The same file, byte by byte, was imported before."""


@dataclass(frozen=True)
class Imported:
    """A file that was imported, and what it says."""

    file: StatementFile
    report: StatementReport

    def sentences(self) -> list[str]:
        """For people: how many lines, how many of them new, which time, and the sums."""
        noun = "line" if self.file.lines == 1 else "lines"
        return [
            f"{self.file.name}: {self.file.lines:,} {noun} imported, {self.file.new_lines:,} of them new.",
            f"It covers {_shown(self.file.covers_from)} to {_shown(self.file.covers_to)} (UTC).",
            *self.report.sums(),
        ]


def import_file(
    path: Path,
    *,
    bank: str,
    actor: str,
    day: date | None = None,
    name: str = "",
    progress: Progress | None = None,
) -> Imported:
    """Import a statement of the bank's, CSV or camt.053, in a transaction of its own.

    `day` is the UTC day that it covers, if the file does not say it itself; `name` what people call it.
    Raises Refused (also AlreadyImported), and KeyError for a bank that does not exist.
    """
    name = _legible(name or path.name)
    words = statement_words(bank)
    if words is None:
        raise Refused(f"The bank {bank} gives no statements.")
    try:
        with path.open("rb") as file:
            version = _version(file)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            with unhurried():
                _take_turns(bank, sha256)
                _refuse_a_second_time(name, sha256)
                statement = read(file, words)
                _refuse_another_form(bank, statement.form)
                report = _copy(_told(statement.lines, file, progress), StatementReport(name))
                if _version(file) != version:
                    raise Refused(f"{name} was changed while it was read. Import it when it is complete.")
                times = report.first, report.last
                begins, ends = covered(statement.period, day=day, name=name, times=times, now=read_clock())
                if report.last is None or ends <= report.last:
                    sha256 = _sha256_with_time(sha256, bank, begins, ends)
                    _refuse_a_second_time(name, sha256)
                kept = _keep(
                    StatementFile(
                        bank=bank, sha256=sha256, name=name, form=statement.form, actor=actor,
                        covers_from=begins, covers_to=ends, lines=report.lines,
                    )
                )  # fmt: skip
    except Unreadable as error:
        raise Refused(f"{name} was not imported. {error}") from None
    except OSError as error:
        raise Refused(f"{name} cannot be read: {error.strerror or error}.") from None
    return Imported(StatementFile.objects.get(pk=kept), report)


def _take_turns(bank: str, sha256: str) -> None:
    """One import of a bank's at a time, and one of a file, whichever bank it is said to be of."""
    try:
        lock_bank(bank)
        with connection.cursor() as cursor:
            cursor.execute(_LOCK_FILE, [sha256])
    except OperationalError as error:
        if not is_locked(error):
            raise
        raise Busy(
            f"The bank {bank}'s statements are being imported or reconciled. Try again later."
        ) from None


def _refuse_a_second_time(name: str, sha256: str) -> None:
    first = StatementFile.objects.filter(sha256=sha256).first()
    if first is not None:
        raise AlreadyImported(
            f"{name} was imported already, as {first.name} of the bank {first.bank},"
            f" at {_shown(first.imported_at)} (UTC)."
        )


def _sha256_with_time(sha256: str, bank: str, begins: datetime, ends: datetime) -> str:
    """Files of days without entries are alike, byte by byte: what they cover tells them apart.

    So it does where a file of a day that was not over comes again after it, and covers the whole of it.
    """
    told = f"{sha256} {bank} {begins.isoformat()} {ends.isoformat()}"
    return hashlib.sha256(told.encode()).hexdigest()


def _refuse_another_form(bank: str, form: StatementFormat) -> None:
    forms = abilities_of(bank).statements
    if form not in forms:
        raise Unreadable(f"The bank {bank} gives statements as {' or '.join(sorted(forms))}, not as {form}.")


def _told(lines: Iterator[Read], file: BinaryIO, progress: Progress | None) -> Iterator[Read]:
    """The lines, while `progress` is told how far the file has been read."""
    told = 0
    for at, line in enumerate(lines):
        yield line
        if progress is not None and at % _TOLD_EACH == 0:
            progress(file.tell() - told)
            told = file.tell()
    if progress is not None:
        progress(file.tell() - told)


def _copy(lines: Iterable[Read], report: StatementReport) -> StatementReport:
    """Into the temporary table `arriving`, counted. Raises Refused where a line is malformed."""
    with connection.wrap_database_errors, connection.cursor() as cursor:
        cursor.execute(_MEMORY)
        cursor.execute(_PREPARE)
        with cursor.copy(_COPY) as copy:
            for line in lines:
                report.count(line)
                if isinstance(line, Line) and not report.malformed_lines:
                    copy.write_row(
                        (
                            line.number, line.kind.value, line.reference, line.names, line.amount_minor,
                            line.currency, line.at,
                        )
                    )  # fmt: skip
            if report.malformed_lines:
                noun = "line is" if report.malformed_lines == 1 else "lines are"
                raise Refused(
                    f"{report.file} was not imported: {report.malformed_lines:,} {noun} malformed.", report
                )
    return report


def _keep(file: StatementFile) -> int:
    """Move the lines into their own table, then write the file's row, which counts the new ones; its id."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_FILE)
        (file.pk,) = cursor.fetchone()
        cursor.execute(_KEEP, {"file": file.pk, "bank": file.bank})
        file.new_lines = cursor.rowcount
    file.save(force_insert=True)
    return int(file.pk)


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _version(file: BinaryIO) -> tuple[int, int]:
    """Changes when somebody writes into the file."""
    state = os.fstat(file.fileno())
    return state.st_size, state.st_mtime_ns


def _legible(name: str) -> str:
    """A file's name as text that the database takes: a name may be any bytes."""
    return os.fsencode(name).decode(errors="replace")[:_LONGEST_NAME]
