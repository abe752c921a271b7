"""The SQL of one authorize as FicPay sends it, for those who send it without FicPay.

Three statements, each a transaction of its own: who asks, the intent, and (after the bank) the outcome. They
are FicPay's own files, so what is measured here changes with them.
"""

import re

from tests.support.project import PROJECT

DIRECTORY = PROJECT / "payments" / "engine" / "statements"
NAMES = ("read_caller", "authorize", "outcome")
PARAMETER = re.compile(r"%\((\w+)\)s")


def read(name: str) -> str:
    """A file's statement with its `%(name)s`, on one line without comments."""
    text = re.sub(r"--.*", "", (DIRECTORY / f"{name}.sql").read_text())
    return " ".join(text.split())
