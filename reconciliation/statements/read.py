"""A statement file, in whatever form the bank has it."""

from typing import BinaryIO

from payments.domain.statements import StatementWords
from reconciliation.statements.camt053 import read_camt053
from reconciliation.statements.csv_file import read_csv
from reconciliation.statements.lines import Statement, Unreadable

_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def read(file: BinaryIO, words: StatementWords) -> Statement:
    """The lines as they come, in one pass: memory does not grow with the file.

    Raises Unreadable, also while the lines are read: who stores them does so when all are read, or none.
    """
    start = file.read(100)
    file.seek(0)
    if not start:
        raise Unreadable("The file is empty.")
    for mark in _MARKS:
        start = start.removeprefix(mark)
    is_xml = start.replace(b"\0", b"").lstrip().startswith(b"<")
    return read_camt053(file, words) if is_xml else read_csv(file, words)
