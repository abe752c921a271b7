"""ISO 20022 bank-to-customer statements (camt.053.001.02 to 001.08), read without entities or network.

Of the schema, what an entry needs: `Amt` with its `Ccy`, `CdtDbtInd`, `Sts`, `BookgDt` or `ValDt` with a
time, the bank's id in `AcctSvcrRef` (or `NtryRef`), the bank's name of its kind in `BkTxCd/Prtry/Cd`, and
what it names in `NtryDtls/TxDtls/Refs/TxId`. An entry of several transactions has these in each `TxDtls`.
"""

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from lxml import etree

from payments.domain.statements import NAMES, StatementWords
from payments.domain.states import OperationKind
from reconciliation.statements.amounts import decimal_amount, known_currency
from reconciliation.statements.lines import Line, Malformed, Read, Statement, Unreadable
from reconciliation.statements.times import moment

Element = Any  # lxml's, which has no types

_DOCUMENT = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:camt\.053\.001\.0[2-8]\}Document")
_NO_STATEMENT = "The file is XML, but no camt.053 statement of version 001.02 to 001.08."
_ROOT = ["Document", "BkToCstmrStmt", "Stmt"]
_STATUSES = ("BOOK", "PDNG")  # a hold is pending
# Which way each kind goes in an account of the merchant's: refunds leave it.
_CREDIT, _DEBIT = "CRDT", "DBIT"
_DIRECTION = {OperationKind.CAPTURE: _CREDIT, OperationKind.REFUND: _DEBIT}


def read_camt053(file: BinaryIO, words: StatementWords) -> Statement:
    """Raises Unreadable, also while the lines are read."""
    statement = Statement(iter(()))
    statement.lines = _lines(file, words, statement)
    return statement


def _lines(file: BinaryIO, words: StatementWords, statement: Statement) -> Iterator[Read]:
    """Entries are counted as lines are: an XML file may be a single line."""
    number, is_checked = 0, False
    try:
        entries = etree.iterparse(
            file,
            events=("end",),
            tag=("{*}Ntry", "{*}FrToDt"),
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
        )
        for _, element in entries:
            if not is_checked:
                is_checked = _check(element)
            if _path(element) != _ROOT:
                continue
            if _name(element) == "FrToDt":
                _keep_period(element, statement)
            else:
                number += 1
                yield from _read_entry(number, element, words)
            _forget(element)
        _check(entries.root)
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"The file is not well-formed XML ({error.msg}).") from None


def _check(element: Element) -> bool:
    """That the document is a camt.053 and declares no entities: true. Raises Unreadable."""
    tree = element.getroottree()
    if tree.docinfo.doctype or tree.docinfo.internalDTD is not None:
        raise Unreadable("The file declares a document type: such a statement is not read.")
    if not _DOCUMENT.fullmatch(str(tree.getroot().tag)):
        raise Unreadable(_NO_STATEMENT)
    return True


def _path(element: Element) -> list[str]:
    return [_name(one) for one in element.iterancestors()][::-1]


def _forget(element: Element) -> None:
    """Or the whole file would be in memory in the end."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _keep_period(element: Element, statement: Statement) -> None:
    try:
        begins, ends = (moment(_text(element, name)) for name in ("FrDtTm", "ToDtTm"))
    except ValueError as error:
        raise Unreadable(f"FrToDt: {error}.") from None
    statement.period.begins, statement.period.ends = begins, ends


def _read_entry(number: int, entry: Element, words: StatementWords) -> Iterator[Read]:
    """A line for each transaction of an entry; for one without details, its own."""
    details = [one for one in _all(entry, "NtryDtls") for one in _all(one, "TxDtls")] or [entry]
    for detail in details:
        try:
            yield _line(number, entry, detail, words, is_alone=len(details) == 1)
        except ValueError as error:
            yield Malformed(number, f"entry {number}: {error}")


def _line(number: int, entry: Element, detail: Element, words: StatementWords, *, is_alone: bool) -> Line:
    amount = _first(entry if is_alone else detail, "Amt")
    if amount is None:
        raise ValueError("it has no Amt")
    status = _text(entry, "Sts", "Cd") or _text(entry, "Sts")
    if status not in _STATUSES:
        raise ValueError(f"its Sts {status[:10]!r} is not one of {', '.join(_STATUSES)}")
    word = _text(detail, "BkTxCd", "Prtry", "Cd") or _text(entry, "BkTxCd", "Prtry", "Cd")
    kind = words.kind_of(word)
    direction = _text(detail, "CdtDbtInd") or _text(entry, "CdtDbtInd")
    if direction not in (_CREDIT, _DEBIT) or _DIRECTION.get(kind, direction) != direction:
        raise ValueError(f"its CdtDbtInd {direction[:10]!r} does not go with {word}")
    currency = known_currency(amount.get("Ccy", ""))
    own = _text(detail, "Refs", "AcctSvcrRef")
    if is_alone:
        own = own or _text(entry, "AcctSvcrRef") or _text(entry, "NtryRef")
    named = NAMES.get(kind)
    return Line(
        number=number,
        reference=words.reference(kind, own),
        kind=kind,
        names=words.reference(named, _text(detail, "Refs", "TxId")) if named else "",
        amount_minor=decimal_amount((amount.text or "").strip(), currency),
        currency=currency,
        at=moment(_text(entry, "BookgDt", "DtTm") or _text(entry, "ValDt", "DtTm")),
    )


def _all(element: Element, name: str) -> list[Element]:
    """The children of that name, whatever their namespace."""
    return list(element.findall(f"{{*}}{name}"))


def _first(element: Element, name: str) -> Element:
    return element.find(f"{{*}}{name}")


def _text(element: Element, *path: str) -> str:
    """The text there; empty where there is none."""
    return (element.findtext("/".join(f"{{*}}{name}" for name in path)) or "").strip()
