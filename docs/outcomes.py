"""Writes the tables of docs/outcomes.md: what every reply of every bank means, each with a link to its test.

How a bank says a word its adapter tells (`reads`), what the word means `payments.domain.meanings`. The tests
are tests/engine/test_outcome_table.py and, for a bank that knows no keys, tests/engine/test_without_keys.py.
They are read, not imported: a cell is the line of a dictionary whose key names it.
"""

import ast
import sys
from pathlib import Path

from payments.banks.acquirer import AcquirerBank
from payments.banks.base import Bank
from payments.banks.ficmart import FicmartBank
from payments.banks.sandbox import SandboxBank
from payments.domain.meanings import MEANINGS, PROBE_MEANINGS, ROW_OF_WORD, Meaning, ReplyKind
from payments.domain.outcomes import (
    Checks,
    Declined,
    History,
    NeedsReview,
    NotExecuted,
    Outcome,
    Succeeded,
    outcome_of,
)
from payments.domain.replies import Approval, BankError, Decline, NotDone, NotSent, Reply, Said, Silence
from payments.domain.states import OperationKind
from payments.domain.timing import Timing

PROJECT = Path(__file__).resolve().parent.parent
PAGE = PROJECT / "docs" / "outcomes.md"
TESTS = "tests/engine/test_outcome_table.py"
TESTS_WITHOUT_KEYS = "tests/engine/test_without_keys.py"
PROBE = "probe"
COLUMNS = (*(kind.value for kind in OperationKind), PROBE)
# What a test's dictionaries hold: all cells, and what becomes of some under a condition.
CELLS, PROBED = "CELLS", "PROBED"
SILENT, NOT_OURS, UNWELL = "AFTER_SILENCE", "NOT_OURS_FOR_CERTAIN", "IN_ILL_HEALTH"

Lines = dict[tuple[str, str, str], int]  # by the dictionary's name, the reply's and the column

BANKS: tuple[Bank, ...] = (FicmartBank("", Timing()), SandboxBank())
# Nothing follows a doubt there, so that no row is about what happened before.
BANKS_WITHOUT_KEYS: tuple[Bank, ...] = (AcquirerBank("", Timing()),)
REPLIES: dict[Said, Reply] = {
    Said.APPROVED: Approval(200, "reference", replayed=False),
    Said.DECLINED: Decline(Said.DECLINED, 200),
    Said.BANK_ERROR: BankError(Said.BANK_ERROR, 400),
    Said.NOT_DONE: NotDone(503),
    Said.SILENCE: Silence("timeout"),
    Said.NOT_SENT: NotSent("connection failed"),
}
# What happened before, where a row is about that, too.
BEFORE = {
    ReplyKind.APPROVED_ANEW_AFTER_SILENCE: "but not the stored reply, after a silent attempt",
    ReplyKind.REPLAYED_AFTER_SILENCES: "the stored reply, after several silent attempts",
    **dict.fromkeys(
        (
            ReplyKind.ALREADY_USED_AFTER_SILENCE,
            ReplyKind.ALREADY_CAPTURED_AFTER_SILENCE,
            ReplyKind.ALREADY_VOIDED_AFTER_SILENCE,
            ReplyKind.ALREADY_REFUNDED_AFTER_SILENCE,
        ),
        "after a silent attempt",
    ),
}
APPROVALS = (ReplyKind.APPROVED_ANEW_AFTER_SILENCE, ReplyKind.REPLAYED_AFTER_SILENCES)
MEANS = {
    Meaning.SUCCEEDED: "SUCCEEDED",
    Meaning.SUCCEEDED_AWAITING_STATEMENT: "SUCCEEDED, awaiting statement",
    Meaning.DECLINED: "DECLINED",
    Meaning.DECLINED_IF_HEALTHY: "DECLINED if the bank is healthy right after",
    Meaning.REJECTED: "REJECTED; payment EXPIRED, its hold is released",
    Meaning.IN_DOUBT: "in doubt, replay",
    Meaning.NOT_SENT: "retry, then NOT_EXECUTED",
    Meaning.DEDUCED: "SUCCEEDED, id unknown",
    Meaning.CAPTURED_ID_UNKNOWN: "captured, id unknown: NEEDS_REVIEW",
    Meaning.CONTRADICTION: "contradiction",
    Meaning.NEGATIVE_PROBE: "negative probe",
}
# A probe is a question of ours: what it leaves in doubt is probed again.
PROBE_MEANS = MEANS | {
    Meaning.SUCCEEDED: "the stored reply: SUCCEEDED",
    Meaning.SUCCEEDED_AWAITING_STATEMENT: "the stored reply: SUCCEEDED, awaiting statement",
    Meaning.IN_DOUBT: "still in doubt",
    Meaning.NOT_SENT: "still in doubt",
}
CONDITIONS = {SILENT: "A", NOT_OURS: "B", UNWELL: "otherwise in doubt, replay"}

BEGIN, END = "<!-- The tables: `make outcomes` writes them. -->\n\n", "<!-- End of the tables. -->\n"


class CellNotTested(Exception):
    """A cell of the table that no line of the tests has."""


def document(page: str, tests: str) -> str:
    """The page with tables made from the adapters, the table and the source of its tests.

    Raises CellNotTested.
    """
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    lines = lines_of_cells(tests)
    tables = [line for bank in BANKS for line in _table(lines, bank)]
    tables += [line for bank in BANKS_WITHOUT_KEYS for line in _table_without_keys(bank)]
    return before + BEGIN + "\n".join([*tables, END]) + after


def _table(lines: Lines, bank: Bank) -> list[str]:
    columns = columns_of(bank)
    return [
        f"## {bank.name}",
        "",
        "| reply | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 1) + "|",
        *(
            f"| {says} | " + " | ".join(_cell(lines, reply_kind, column) for column in columns) + " |"
            for reply_kind, says in rows_of(bank).items()
        ),
        "",
    ]


def _table_without_keys(bank: Bank) -> list[str]:
    tests = ast.parse((PROJECT / TESTS_WITHOUT_KEYS).read_text()).body
    keys = [
        key
        for statement in tests
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.value, ast.Dict)
        for key in statement.value.keys
    ]
    lines = {key.attr: key.lineno for key in keys if isinstance(key, ast.Attribute)}
    if missing := [said for said in bank.reads if said.name not in lines]:
        raise CellNotTested(f"{TESTS_WITHOUT_KEYS} has no line for {missing}.")
    return [
        f"## {bank.name}",
        "",
        "It knows no keys: what it may have executed is never sent again.",
        "",
        "| reply | authorize |",
        "|---|---|",
        *(
            f"| {says} | [{_leaves(said)}](../{TESTS_WITHOUT_KEYS}#L{lines[said.name]}) |"
            for said, says in bank.reads.items()
        ),
        "",
    ]


def _leaves(said: Said) -> str:
    """What a reply means at a bank that knows no keys."""
    reply = REPLIES[said]
    outcome: Outcome = outcome_of(OperationKind.AUTHORIZE, reply, History(cannot_ask=True), Checks())
    match outcome:
        case Succeeded():
            return "SUCCEEDED"
        case Declined():
            return "DECLINED"
        case NotExecuted():
            return "retry, then NOT_EXECUTED" if isinstance(reply, NotDone | NotSent) else "NOT_EXECUTED"
        case NeedsReview(reason=reason):
            return f"NEEDS_REVIEW (`{reason}`): people or a statement decide"
        case _:
            raise ValueError(f"{said} leaves {outcome}")


def columns_of(bank: Bank) -> list[str]:
    """What the bank can be asked."""
    kinds = [kind.value for kind in OperationKind if bank.abilities.can(kind)]
    return [*kinds, PROBE] if bank.abilities.probes_without_card else kinds


def rows_of(bank: Bank) -> dict[ReplyKind, str]:
    """What the bank may reply, in its own words. Without silence nothing depends on what was before."""
    rows: dict[ReplyKind, list[str]] = {reply_kind: [] for reply_kind in ReplyKind}
    for said in Said:
        if said in bank.reads:
            rows[ROW_OF_WORD[said]].append(bank.reads[said])
    if Said.SILENCE in bank.reads:
        rows |= {reply_kind: [bank.reads[Said.APPROVED]] for reply_kind in APPROVALS}
    return {
        reply_kind: ", ".join([*says, BEFORE[reply_kind]] if reply_kind in BEFORE else says)
        for reply_kind, says in rows.items()
        if says
    }


def lines_of_cells(tests: str) -> Lines:
    """Where the cells are: the lines of keys like `(ReplyKind.APPROVED, CAPTURE)` in named dictionaries."""
    lines: Lines = {}
    for statement in ast.parse(tests).body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Dict(keys=keys)):
                for key in keys:
                    match key:
                        case ast.Tuple(elts=[ast.Attribute(attr=reply_kind), ast.Name(id=column)]):
                            lines[name, reply_kind, column.lower()] = key.lineno
    return lines


def _cell(lines: Lines, reply_kind: ReplyKind, column: str) -> str:
    """What the cell means, linked to its test; and what it means under a condition, to the test of that."""
    is_probe = column == PROBE
    meaning = PROBE_MEANINGS[reply_kind] if is_probe else MEANINGS[reply_kind, OperationKind(column)]
    words = PROBE_MEANS if is_probe else MEANS
    line = lines.get((PROBED if is_probe else CELLS, reply_kind.name, column))
    if line is None:
        raise CellNotTested(f"{TESTS} has no line for ({reply_kind}, {column}).")
    conditions = [
        _link(what, lines[name, reply_kind.name, column])
        for name, what in CONDITIONS.items()
        if (name, reply_kind.name, column) in lines
    ]
    return _link(words[meaning], line) + (f" ({', '.join(conditions)})" if conditions else "")


def _link(text: str, line: int) -> str:
    return f"[{text}](../{TESTS}#L{line})"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(PAGE.read_text(), (PROJECT / TESTS).read_text()))
