"""CSV statements: a header line, then a row for each entry of the bank's ledger.

    entry_id,type,reference_id,amount_cents,currency,created_at

Columns may come in another order, quoted, beside others, and separated by a semicolon or a tab. `amount`
instead of `amount_cents` is a decimal amount with a point or a comma.
"""

import csv
import io
from collections.abc import Callable, Iterator
from itertools import chain
from typing import BinaryIO

from payments.domain.abilities import StatementFormat
from payments.domain.statements import NAMES, StatementWords
from reconciliation.statements.amounts import decimal_amount, known_currency, minor_units
from reconciliation.statements.lines import Line, Malformed, Read, Statement, Unreadable
from reconciliation.statements.times import moment

_COLUMNS = ("entry_id", "type", "reference_id", "currency", "created_at")
_MINOR, _DECIMAL = "amount_cents", "amount"
_DELIMITERS = (",", ";", "\t")
_LONGEST_FIELD = 1000  # characters; a quote that is never closed would swallow the file


def read_csv(file: BinaryIO, words: StatementWords) -> Statement:
    """Raises Unreadable, also while the lines are read."""
    return Statement(StatementFormat.CSV, _lines(_text(file), words))


def _text(file: BinaryIO) -> io.TextIOWrapper:
    """UTF-8, or what a byte order mark says."""
    mark = file.read(4)
    file.seek(0)
    encoding = "utf-16" if mark[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return io.TextIOWrapper(file, encoding=encoding, newline="")


def _lines(text: io.TextIOWrapper, words: StatementWords) -> Iterator[Read]:
    csv.field_size_limit(_LONGEST_FIELD)
    number = 1
    try:
        first = text.readline(_LONGEST_FIELD)
        delimiter = max(_DELIMITERS, key=first.count)
        rows = csv.reader(chain([first], text), delimiter=delimiter, strict=True)
        header = next(rows, [])
        reader = _Reader(header, words)
        while True:
            number = rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            if row:
                yield reader.read(number, row)
    except UnicodeError:
        raise Unreadable("The file is neither UTF-8 nor UTF-16: it cannot be read.") from None
    except csv.Error as error:
        raise Unreadable(f"Line {number}: it is not CSV ({error}).") from None
    finally:
        text.detach()  # the file is its opener's to close


class _Reader:
    """Reads rows by their header."""

    def __init__(self, header: list[str], words: StatementWords) -> None:
        """Raises Unreadable where a column is missing, or comes twice."""
        names = [name.strip().lower() for name in header]
        self._amount_column = _MINOR if _MINOR in names else _DECIMAL
        wanted = (*_COLUMNS, self._amount_column)
        missing = [name for name in (*_COLUMNS, _MINOR) if name not in names]
        if missing and not (missing == [_MINOR] and _DECIMAL in names):
            raise Unreadable(f"The first line names no column {', '.join(missing)}: this is not a statement.")
        twice = [name for name in wanted if names.count(name) > 1]
        if twice:
            raise Unreadable(f"The first line names the column {twice[0]} twice.")
        self._width = len(names)
        self._at = {name: names.index(name) for name in wanted}
        self._amount: Callable[[str, str], int] = (
            (lambda text, _currency: minor_units(text)) if self._amount_column == _MINOR else decimal_amount
        )
        self._words = words

    def read(self, number: int, row: list[str]) -> Read:
        if len(row) != self._width:
            return Malformed(number, f"it has {len(row)} fields, and the first line has {self._width}")
        field = {name: row[at].strip() for name, at in self._at.items()}
        try:
            kind = self._words.kind_of(field["type"])
            currency = known_currency(field["currency"])
            named = NAMES.get(kind)
            if named is None and field["reference_id"]:
                raise ValueError(f"a {field['type']} names no other entry")
            return Line(
                number=number,
                reference=self._words.reference(kind, field["entry_id"]),
                kind=kind,
                names=self._words.reference(named, field["reference_id"]) if named else "",
                amount_minor=self._amount(field[self._amount_column], currency),
                currency=currency,
                at=moment(field["created_at"]),
            )
        except ValueError as error:
            return Malformed(number, str(error))
