"""ISO 20022 bank-to-customer statements (camt.053.001.02 to 001.08), read without entities or network.

Of the schema, what an entry needs: `Amt` with its `Ccy`, `CdtDbtInd`, `Sts`, `BookgDt` or `ValDt` with a
time, the bank's id in `AcctSvcrRef` (or `NtryRef`), the bank's name of its kind in `BkTxCd/Prtry/Cd`, and
what it names in `NtryDtls/TxDtls/Refs/TxId`. An entry of several transactions has these in each `TxDtls`.
"""

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from lxml import etree

from payments.domain.abilities import StatementFormat
from payments.domain.statements import NAMES, StatementWords
from payments.domain.states import OperationKind
from reconciliation.statements.amounts import decimal_amount, known_currency
from reconciliation.statements.lines import Line, Malformed, Read, Statement, Unreadable
from reconciliation.statements.times import moment

Element = Any  # lxml's, which has no types

_DOCUMENT = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:camt\.053\.001\.0[2-8]\}Document")
_NO_STATEMENT = "The file is XML, but no camt.053 statement of version 001.02 to 001.08."
_ROOT = ["Document", "BkToCstmrStmt", "Stmt"]
# How a bank writes that the first page is the last one, too.
_WHOLE = {"PgNb": ("1",), "LastPgInd": ("true", "1")}
_STATUSES = ("BOOK", "PDNG")  # a hold is pending
# Which way each kind goes in an account of the merchant's: refunds leave it.
_CREDIT, _DEBIT = "CRDT", "DBIT"
_DIRECTION = {OperationKind.CAPTURE: _CREDIT, OperationKind.REFUND: _DEBIT}


class _Part:
    """What an entry or one of its transactions says: each text by its path, such as `BkTxCd/Prtry/Cd`.

    Every element is looked at once. lxml's own search by paths takes twice the time of all the rest.
    """

    __slots__ = ("texts", "transactions")

    def __init__(self, element: Element) -> None:
        self.texts: dict[str, str] = {}
        self.transactions: list[_Part] = []
        self._read(element, "")

    def _read(self, element: Element, path: str) -> None:
        for part in element:
            name = _name(part)
            if name == "TxDtls":
                self.transactions.append(_Part(part))
            elif len(part):
                self._read(part, f"{path}{name}/")
            else:
                self.texts.setdefault(path + name, (part.text or "").strip())
                if name == "Amt":
                    self.texts.setdefault(f"{path}Amt@Ccy", part.get("Ccy", ""))

    def __getitem__(self, path: str) -> str:
        """The first text there; empty where there is none."""
        return self.texts.get(path, "")


def read_camt053(file: BinaryIO, words: StatementWords) -> Statement:
    """Raises Unreadable, also while the lines are read."""
    statement = Statement(StatementFormat.CAMT_053, iter(()))
    statement.lines = _lines(file, words, statement)
    return statement


def _lines(file: BinaryIO, words: StatementWords, statement: Statement) -> Iterator[Read]:
    """Entries are counted as lines are: an XML file may be a single line."""
    number = 0
    is_checked = False
    parent = None  # the statement whose entries are being read
    try:
        entries = etree.iterparse(
            file,
            events=("end",),
            tag=("{*}Ntry", "{*}FrToDt", "{*}PgNb", "{*}LastPgInd"),
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            remove_comments=True,
            remove_pis=True,
        )
        for _, element in entries:
            if not is_checked:
                is_checked = _check(element)
            if _name(element) in _WHOLE:
                _check_page(element)
                continue
            if element.getparent() is not parent:
                if _path(element) != _ROOT:
                    continue
                parent = element.getparent()
            if _name(element) == "FrToDt":
                _keep_period(_Part(element), statement)
            else:
                number += 1
                yield from _read_entry(number, _Part(element), words)
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


def _check_page(element: Element) -> None:
    """That the file is the whole statement: its period is the whole statement's. Raises Unreadable."""
    if (element.text or "").strip() not in _WHOLE[_name(element)]:
        raise Unreadable("The file is one page of a statement: all its pages have to come in one file.")


def _path(element: Element) -> list[str]:
    return [_name(one) for one in element.iterancestors()][::-1]


def _forget(element: Element) -> None:
    """Or the whole file would be in memory in the end."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _name(element: Element) -> str:
    tag: str = element.tag
    return tag.rpartition("}")[2]


def _keep_period(period: _Part, statement: Statement) -> None:
    try:
        statement.period.extend(moment(period["FrDtTm"]), moment(period["ToDtTm"]))
    except ValueError as error:
        raise Unreadable(f"FrToDt: {error}.") from None


def _read_entry(number: int, entry: _Part, words: StatementWords) -> Iterator[Read]:
    """A line for each transaction of an entry; for one without details, its own."""
    details = entry.transactions or [entry]
    for detail in details:
        try:
            yield _line(number, entry, detail, words, is_alone=len(details) == 1)
        except ValueError as error:
            yield Malformed(number, str(error), unit="Entry")


def _line(number: int, entry: _Part, detail: _Part, words: StatementWords, *, is_alone: bool) -> Line:
    paid = entry if is_alone else detail
    amount = "Amt" if paid["Amt"] else "AmtDtls/TxAmt/Amt"  # a transaction's, before version 001.03
    if not paid[amount]:
        raise ValueError("it has no Amt")
    status = entry["Sts/Cd"] or entry["Sts"]
    if status not in _STATUSES:
        raise ValueError(f"its Sts {status[:10]!r} is not one of {', '.join(_STATUSES)}")
    word = detail["BkTxCd/Prtry/Cd"] or entry["BkTxCd/Prtry/Cd"]
    try:
        kind = words.kind_of(word)
    except ValueError as error:
        raise ValueError(f"its BkTxCd/Prtry/Cd {error}") from None
    direction = detail["CdtDbtInd"] or entry["CdtDbtInd"]
    if direction not in (_CREDIT, _DEBIT) or _DIRECTION.get(kind, direction) != direction:
        raise ValueError(f"its CdtDbtInd {direction[:10]!r} does not go with {word}")
    currency = known_currency(paid[f"{amount}@Ccy"])
    own = detail["Refs/AcctSvcrRef"]
    if is_alone:
        own = own or entry["AcctSvcrRef"] or entry["NtryRef"]
    named = NAMES.get(kind)
    return Line(
        number=number,
        reference=words.reference(kind, own),
        kind=kind,
        names=words.reference(named, detail["Refs/TxId"]) if named else "",
        amount_minor=decimal_amount(paid[amount], currency),
        currency=currency,
        at=moment(entry["BookgDt/DtTm"] or entry["ValDt/DtTm"]),
    )
