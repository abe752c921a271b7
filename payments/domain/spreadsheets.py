"""Text in CSV files that people open in spreadsheets: it stays text, and is never run as a formula."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

BEGIN_OF_UTF8 = "\ufeff"  # tells spreadsheets that the file is UTF-8
# Text that a spreadsheet would convert to a number (0012345, 1e10, 12345678901234567890), a date (1-2, MAR1),
# a time (5 pm) or a boolean. An apostrophe in front keeps it as text.
_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    "|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_CHANGED = re.compile(
    rf"(?=.*\d)[\d\s.,:/+%$€£¥()-]+(?:[ed][+-]?\d+|[ap]m?)?|(?=.*\d)[\d\s.,/-]*{_MONTH}[\d\s.,/-]*|true|false",
    re.IGNORECASE,
)
# A spreadsheet runs text that begins like this as a formula.
_FORMULA = re.compile(r"(^(?=[\t\r\n])|(?:^|[;|\t\r\n])(?=\s*[=+@-]))")


def as_text(text: str) -> str:
    """Text that others wrote, escaped so that a spreadsheet keeps it as text (OWASP, CSV injection).

    Also after a semicolon or the like, which a spreadsheet may take for the end of a cell.
    """
    if _CHANGED.fullmatch(text):
        return f"'{text}"
    return _FORMULA.sub(r"\1'", text)


def csv_lines(rows: Iterable[Sequence[str]]) -> str:
    """The rows as lines of a CSV file."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
