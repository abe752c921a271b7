"""`reconcile statement`: imports a bank's statements and reconciles the bank, or only checks the files."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import QuerySet
from tqdm import tqdm

from payments.engine.abilities import banks_with_statements
from reconciliation.management.subcommands.base import ExitCode, Subcommand, add_json, fail, utc_day
from reconciliation.management.subcommands.differences import of_case, of_run, sentences_of
from reconciliation.matching.classes import IN_WORDS, Class
from reconciliation.models import Difference, Run
from reconciliation.services.compare.heal import HEALED_IN_WORDS
from reconciliation.services.differences import open_differences
from reconciliation.services.imports import AlreadyImported, Imported, Progress, Refused, import_file
from reconciliation.services.reconcile import reconcile
from reconciliation.services.statement_report import report_of
from reconciliation.statements.lines import Unreadable

_ACTOR = "operator"
_LISTED = 20  # differences


class ImportStatement(Subcommand):
    """Import statement files, each whole or not at all, then reconcile the bank."""

    name = "statement"
    help = "import bank statements and compare them with our books"

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV or camt.053")
        parser.add_argument("--bank", required=True, choices=banks_with_statements())
        parser.add_argument(
            "--date",
            type=utc_day,
            help="YYYY-MM-DD: the UTC day that the file covers, if neither it nor its name says so",
        )
        parser.add_argument(
            "--check", action="store_true", help="report what the files contain, keep nothing"
        )
        add_json(parser)

    def run(
        self, *, files: list[Path], bank: str, date: date | None, check: bool, json: bool, **_: Any
    ) -> ExitCode:
        if check:
            return self._check(files, bank, json=json)
        if date and len(files) > 1:
            fail("--date is the day of one file: give each file a command of its own.")
        told: list[dict[str, object]] = []
        is_there, is_refused = False, False
        for file in files:
            try:
                with _progress(file, is_shown=not json and sys.stderr.isatty()) as progress:
                    done = import_file(file, bank=bank, actor=_ACTOR, day=date, progress=progress)
            except Refused as no:
                is_before = isinstance(no, AlreadyImported)
                is_refused |= not is_before
                is_there |= is_before
                told.append(_refused(file, no))
                sentences = no.sentences
            else:
                is_there = True
                told.append(_imported(file, done))
                sentences = done.sentences()
            if not json:
                self.stdout.write("\n  ".join(sentences))
        run = reconcile(bank, actor=_ACTOR) if is_there else None
        still_open = open_differences(bank).select_related("owner")
        if json:
            differences = [of_case(one) for one in still_open]
            self.print_json({"files": told, "run": run and of_run(run), "differences": differences})
        elif run:
            self.stdout.write("\n  ".join(_sentences(run, still_open)))
        if is_refused:
            return ExitCode.FAILED
        return ExitCode.OPEN if still_open.exists() else ExitCode.CLEAN

    def _check(self, files: list[Path], bank: str, *, json: bool) -> ExitCode:
        try:
            reports = [report_of(file, bank=bank) for file in files]
        except Unreadable as error:
            fail(str(error))
        if json:
            self.print_json({"files": [one.as_dict() for one in reports]})
        else:
            self.stdout.write("\n".join(sentence for one in reports for sentence in one.sentences()))
        return ExitCode.OPEN if any(one.malformed for one in reports) else ExitCode.CLEAN


@contextmanager
def _progress(file: Path, *, is_shown: bool) -> Iterator[Progress]:
    size = file.stat().st_size if file.is_file() else None
    with tqdm(
        desc=file.name, total=size, unit="B", unit_scale=True, disable=not is_shown, leave=False
    ) as bar:
        yield bar.update


def _imported(file: Path, done: Imported) -> dict[str, object]:
    return done.report.as_dict() | {
        "file": str(file),
        "imported": True,
        "new_lines": done.file.new_lines,
        "covers_from": done.file.covers_from,
        "covers_to": done.file.covers_to,
        "sha256": done.file.sha256,
    }


def _refused(file: Path, no: Refused) -> dict[str, object]:
    return {
        "file": str(file),
        "imported": False,
        "imported_before": isinstance(no, AlreadyImported),
        "why": str(no),
        "malformed": [{"line": one.number, "problem": one.problem} for one in no.malformed],
        "malformed_lines": no.malformed_lines,
    }


def _sentences(run: Run, still_open: QuerySet[Difference]) -> Iterator[str]:
    """What the run has found and healed, then the bank's open differences."""
    found = {
        IN_WORDS[Class(what)]: sum(one["count"] for one in currencies.values())
        for what, currencies in sorted(run.counts["classes"].items())
    }
    count = still_open.count()
    healed = _counted(
        {HEALED_IN_WORDS[what]: number for what, number in run.counts["healed"].items() if number}
    )
    yield f"{run.bank} reconciled: {_counted(found)}; healed: {healed}; open differences: {count:,}."
    for one in still_open[:_LISTED]:
        yield from sentences_of(one)
    if count > _LISTED:
        yield f"And {count - _LISTED:,} more: see `reconcile differences`."


def _counted(numbers: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {what}" for what, number in numbers.items()) or "nothing"
