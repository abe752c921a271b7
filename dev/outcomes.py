"""Writes docs/outcomes.md: what every answer of the bank means, each with a link to its test.

The table is `payments.domain.meanings`, the tests are tests/engine/test_outcome_table.py. They are read,
not imported: a cell is the line of a dictionary whose key names it.
"""

import ast
import sys
from pathlib import Path

from payments.domain.meanings import MEANINGS, PROBE_MEANINGS, Answer, Meaning
from payments.domain.states import OperationKind

PROJECT = Path(__file__).resolve().parent.parent
TESTS = "tests/engine/test_outcome_table.py"
PROBE = "probe"
COLUMNS = (*(kind.value for kind in OperationKind), PROBE)
# What a test's dictionaries hold: all cells, and what becomes of some under a condition.
CELLS, PROBED = "CELLS", "PROBED"
SILENT, NOT_OURS, UNWELL = "AFTER_SILENCE", "NOT_OURS_FOR_CERTAIN", "IN_ILL_HEALTH"

Lines = dict[tuple[str, str, str], int]  # by the dictionary's name, the answer's and the column

ANSWERS = {
    Answer.APPROVED: "200, amount, currency and reference as sent",
    Answer.APPROVED_ANEW_AFTER_SILENCE: "200 without the replay header, after a silent attempt",
    Answer.REPLAYED_AFTER_SILENCES: "200 with the replay header, after several silent attempts",
    Answer.DECLINED_BY_ISSUER: "`insufficient_funds`, `invalid_cvv`, `card_expired`",
    Answer.INVALID_CARD: "`invalid_card`",
    Answer.TROUBLE: (
        "5xx, 429, 400 `internal_error`, timeout, reset, any other 2xx or 3xx, an unreadable answer"
    ),
    Answer.NOTHING_SENT: "nothing sent: refused, DNS, connect timeout, breaker open",
    Answer.AUTHORIZATION_EXPIRED: "`authorization_expired`",
    Answer.ALREADY_USED_AFTER_SILENCE: "`authorization_already_used`, after a silent attempt",
    Answer.ALREADY_CAPTURED_AFTER_SILENCE: "`already_captured`, after a silent attempt",
    Answer.ALREADY_VOIDED_AFTER_SILENCE: "`already_voided`, after a silent attempt",
    Answer.ALREADY_REFUNDED_AFTER_SILENCE: "`already_refunded`, after a silent attempt",
    Answer.ANYTHING_ELSE: "everything else",
}
MEANS = {
    Meaning.SUCCEEDED: "SUCCEEDED",
    Meaning.SUCCEEDED_AWAITING_STATEMENT: "SUCCEEDED, awaiting statement",
    Meaning.DECLINED: "DECLINED",
    Meaning.DECLINED_IF_HEALTHY: "DECLINED if `/health` is 200 right after",
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
    Meaning.SUCCEEDED: "the stored answer: SUCCEEDED",
    Meaning.SUCCEEDED_AWAITING_STATEMENT: "the stored answer: SUCCEEDED, awaiting statement",
    Meaning.IN_DOUBT: "still in doubt",
    Meaning.NOT_SENT: "still in doubt",
}
CONDITIONS = {SILENT: "A", NOT_OURS: "B", UNWELL: "otherwise in doubt, replay"}

INTRODUCTION = """\
# What an answer means

<!-- Written by `make outcomes` from payments/domain/meanings.py and its tests. Do not edit. -->

A row is what the bank may say to an attempt, a column what it was asked. A cell says what is known of the
operation then, and links to the line of the test that plays it at the simulated bank and looks at what is
left: the operation's state, the payment's state, whether the bank's statement is awaited, and what people are
asked to look at. `make check` fails when this page is not what the code and the tests say.

An attempt without a recorded end, or ended by an in-doubt answer, is **in doubt**. It was **silent** if no
readable answer came, or a 400 `internal_error`. An operation in doubt stays OPEN: nothing is ever marked
failed because nobody answered.
"""
NOTES = """\
**A.** A decline after a silent attempt is no proof that there is no hold (the first hold may be what used up
the funds): DECLINED, awaiting statement. While the bank may still be working on a call of ours, the hold of
that call may be the very reason: then only a word about the card itself (`card_expired`, `invalid_card`,
`invalid_cvv`) is a decline, and any other leaves the doubt.

**B.** Deduced only if every other operation on this authorization ended by the bank's own answer; otherwise
NEEDS_REVIEW. And only if a silent attempt came before the bank first said so: a 500 of its own proves that
nothing was done, so what is done already after it was done by somebody else. That counts as a contradiction.
All of this goes by the order of the rows, not by clocks.

**Silent attempts**: each may have made a hold, and the bank's stored answer is to one of them. The operation
counts those of which no answer tells; each awaits the statement. A probe is not among them: it holds nothing.
After two silent attempts of an authorize the card is not sent again: only probes go on.

**Nothing sent** means NOT_EXECUTED only while no attempt is in doubt; otherwise the operation stays in doubt.

**Contradiction**: the bank disagrees with our books. It counts only when repeated at least 30 s apart by a
bank whose `/health` is 200 before and after; until then the operation stays OPEN. Then NEEDS_REVIEW with a
discrepancy (a row in the review queue). Never a guess. Recovery counts them; an authorize it does not repeat,
but probes.

**Release**: a void of ours that frees a hold nobody will capture. It is judged as a void, but nobody waits
for it: where nothing could be sent it stays open until the hold is freed.

**Probe**: recovery has no card, so it asks about an authorize in doubt under the same key with a card that
cannot exist. A stored answer comes back and is adopted. A **negative probe** (`invalid_card` from a bank
whose `/health` is 200 before and after) counts when a second one follows at least 10 minutes later:
NOT_EXECUTED, payment FAILED, awaiting statement. A 200 that is not a stored answer contradicts our books:
nobody holds money on a card that does not exist. Every other answer leaves the doubt. 24 hours after the
first attempt the bank may have forgotten its answer, so a probe that finds none proves nothing: NEEDS_REVIEW.
"""


class CellNotTested(Exception):
    """A cell of the table that no line of the tests has."""


def document(tests: str) -> str:
    """The page, made from the table and the source of its tests. Raises CellNotTested."""
    lines = lines_of_cells(tests)
    rows = [
        "| answer | " + " | ".join(COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
        *(
            f"| {ANSWERS[answer]} | " + " | ".join(_cell(lines, answer, column) for column in COLUMNS) + " |"
            for answer in Answer
        ),
    ]
    return "\n".join([INTRODUCTION, *rows, "", NOTES])


def lines_of_cells(tests: str) -> Lines:
    """Where the cells are: the lines of keys like `(Answer.APPROVED, CAPTURE)` in named dictionaries."""
    lines: Lines = {}
    for statement in ast.parse(tests).body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Dict(keys=keys)):
                for key in keys:
                    match key:
                        case ast.Tuple(elts=[ast.Attribute(attr=answer), ast.Name(id=column)]):
                            lines[name, answer, column.lower()] = key.lineno
    return lines


def _cell(lines: Lines, answer: Answer, column: str) -> str:
    """What the cell means, linked to its test; and what it means under a condition, to the test of that."""
    is_probe = column == PROBE
    meaning = PROBE_MEANINGS[answer] if is_probe else MEANINGS[answer, OperationKind(column)]
    words = PROBE_MEANS if is_probe else MEANS
    line = lines.get((PROBED if is_probe else CELLS, answer.name, column))
    if line is None:
        raise CellNotTested(f"{TESTS} has no line for ({answer}, {column}).")
    conditions = [
        _link(what, lines[name, answer.name, column])
        for name, what in CONDITIONS.items()
        if (name, answer.name, column) in lines
    ]
    return _link(words[meaning], line) + (f" ({', '.join(conditions)})" if conditions else "")


def _link(text: str, line: int) -> str:
    return f"[{text}](../{TESTS}#L{line})"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document((PROJECT / TESTS).read_text()))
