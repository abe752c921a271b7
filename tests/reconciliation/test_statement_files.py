"""Statement files of every form: each is read rightly, or refused in a sentence."""

import io
from datetime import UTC, datetime

import pytest

from payments.banks.registry import bank_named
from reconciliation.statements.lines import Line, Malformed, Read, Unreadable
from reconciliation.statements.read import read
from tests.support.statement_files import (
    CAPTURE,
    CSV_FORMS,
    ENTRIES,
    EXPECTED,
    HEADER,
    HOLD,
    ROWS,
    VOID,
    WHOLE,
    camt,
    entry,
)


def lines(data: str | bytes, encoding: str = "utf-8") -> list[Read]:
    words = bank_named("ficmart").statement_words
    assert words is not None
    return list(read(io.BytesIO(data if isinstance(data, bytes) else data.encode(encoding)), words).lines)


def told(data: str | bytes) -> list[tuple[object, ...]]:
    """What the lines say, without their numbers."""
    read_lines = lines(data)
    assert all(isinstance(line, Line) for line in read_lines), read_lines
    return [
        (line.reference, line.kind, line.names, line.amount_minor, line.currency, line.at)
        for line in read_lines
        if isinstance(line, Line)
    ]


class TestCsv:
    def test_is_read_in_every_form_that_programs_write(self) -> None:
        for form, data in CSV_FORMS.items():
            assert told(data) == EXPECTED, form

    def test_names_the_line_and_what_is_wrong_in_it(self) -> None:
        amount, when = ",5000,", "2026-11-21T09:30:00.123456789Z"
        broken = {
            ROWS[0].replace(amount, ",-5000,"): "the amount '-5000' has a minus sign: amounts are written",
            ROWS[0].replace(amount, ",,"): "the amount '' is not a whole number of minor units",
            ROWS[0].replace(amount, ",0,"): "the amount '0' is not one that a payment can have",
            ROWS[0].replace(amount, ",50.00,"): "the amount '50.00' is not a whole number of minor units",
            ROWS[0].replace(amount, ",\u0665\u0660,"): "is not a whole number of minor units",
            ROWS[0].replace(amount, ",1e4,"): "the amount '1e4' is not a whole number of minor units",
            ROWS[0].replace("USD", "CHF"): "the currency 'CHF' is not one of USD, EUR, GBP, JPY",
            ROWS[0].replace(when, "2026-11-21"): "the time '2026-11-21' needs a date, a time and an offset",
            ROWS[0].replace(when, "21.11.2026"): "the time '21.11.2026' is not RFC 3339",
            ROWS[0].replace(when, when[:-1]): "needs a date, a time and an offset",
            ROWS[0].replace("AUTH_HOLD", "FEE"): "'FEE' is not one of AUTH_HOLD, CAPTURE, VOID, REFUND",
            ROWS[0].replace("AUTH_HOLD,,", f"AUTH_HOLD,{HOLD},"): "a AUTH_HOLD names no other entry",
            ROWS[1].replace(f",{HOLD}", ","): "'' is no id of the bank's",
            ROWS[1].replace(CAPTURE, "7"): "'7' is no id of the bank's",
            ROWS[0] + ",more": "it has 7 fields, and the first line has 6",
            HOLD: "it has 1 fields, and the first line has 6",
        }
        for row, problem in broken.items():
            found = lines("\n".join([HEADER, ROWS[2], row, ROWS[3]]))
            assert [type(one) for one in found] == [Line, Malformed, Line], row
            assert isinstance(found[1], Malformed)
            assert found[1].number == 3
            assert problem in str(found[1]), row

    def test_that_is_no_statement_is_refused_in_a_sentence(self) -> None:
        refused = {
            b"": "The file is empty.",
            b"\x89PNG\r\n\x1a\n\0\0": "The file is neither UTF-8 nor UTF-16",
            b"name,age\nKim,30\n": "names no column entry_id, type, reference_id, currency, created_at",
            HEADER.replace("amount_cents", "sum").encode(): "names no column amount_cents",
            (HEADER + ",type\n").encode(): "names the column type twice",
            (HEADER + '\n"never closed,' + "x" * 5000).encode(): "Line 2: it is not CSV",
            (WHOLE + "\n\xff").encode("latin-1"): "The file is neither UTF-8 nor UTF-16",
        }
        for data, problem in refused.items():
            with pytest.raises(Unreadable, match=problem):
                lines(data)

    def test_without_entries_has_no_lines(self) -> None:
        assert lines(HEADER + "\n") == []


class TestCamt053:
    def test_is_read_in_each_version_in_use(self) -> None:
        for version in range(2, 9):
            assert told(camt(ENTRIES, version)) == EXPECTED, version
        plain_status = [
            one.replace("<Cd>BOOK</Cd>", "BOOK").replace("<Cd>PDNG</Cd>", "PDNG") for one in ENTRIES
        ]
        assert told(camt(plain_status, 2)) == EXPECTED

    def test_says_which_time_it_covers(self) -> None:
        words = bank_named("ficmart").statement_words
        assert words is not None
        statement = read(io.BytesIO(camt(ENTRIES)), words)
        assert len(list(statement.lines)) == 4
        assert statement.period.begins == datetime(2026, 11, 21, tzinfo=UTC)
        assert statement.period.ends == datetime(2026, 11, 22, tzinfo=UTC)

    def test_reads_each_transaction_of_a_batch(self) -> None:
        for version, amount_of in ((8, "{}"), (2, "<AmtDtls><TxAmt>{}</TxAmt></AmtDtls>")):
            two = "".join(
                f"<TxDtls><Refs><AcctSvcrRef>{own}</AcctSvcrRef><TxId>{HOLD}</TxId></Refs>"
                + amount_of.format(f"<Amt Ccy='USD'>{amount}</Amt>")
                + "</TxDtls>"
                for own, amount in ((CAPTURE, "20.00"), (VOID, "30.00"))
            )
            batch = entry(2, "CAPTURE", "").replace("</Ntry>", f"<NtryDtls>{two}</NtryDtls></Ntry>")
            found = lines(camt([batch], version))
            assert [(one.reference, one.amount_minor) for one in found if isinstance(one, Line)] == [
                (f"cap_{CAPTURE}", 2000),
                (f"cap_{VOID}", 3000),
            ]

    def test_names_the_entry_and_what_is_wrong_in_it(self) -> None:
        broken = {
            entry(2, "CAPTURE", CAPTURE, HOLD, amount="50"): "two decimal digits and no thousands separator",
            entry(2, "CAPTURE", CAPTURE, HOLD, amount="-50.00"): "the amount '-50.00' has a minus sign",
            entry(2, "CAPTURE", CAPTURE, HOLD, amount="1.234,56"): "no thousands separator",
            entry(2, "CAPTURE", CAPTURE, HOLD, amount="50.00", currency="JPY"): "separator are wanted, as 10",
            entry(2, "CAPTURE", CAPTURE, HOLD, direction="DBIT"): "'DBIT' does not go with CAPTURE",
            entry(2, "CAPTURE", CAPTURE, HOLD, currency="CHF"): "the currency 'CHF'",
            entry(2, "CAPTURE", CAPTURE, HOLD, status="INFO"): "its Sts 'INFO' is not one of BOOK, PDNG",
            entry(2, "CAPTURE", CAPTURE, HOLD, at="2026-11-21"): "needs a date, a time and an offset",
            entry(2, "CAPTURE", CAPTURE): "'' is no id of the bank's",
            entry(2, "FEE", CAPTURE): "Entry 2: its BkTxCd/Prtry/Cd 'FEE' is not one of AUTH_HOLD, CAPTURE",
            entry(2, "", CAPTURE): "Entry 2: its BkTxCd/Prtry/Cd '' is not one of AUTH_HOLD",
            entry(2, "CAPTURE", CAPTURE, HOLD).replace("Amt", "Amnt"): "it has no Amt",
        }
        for one, problem in broken.items():
            found = lines(camt([ENTRIES[0], one, ENTRIES[3]]))
            assert [type(line) for line in found] == [Line, Malformed, Line], one
            assert problem in str(found[1]), one

    def test_with_entities_or_of_another_schema_is_refused_in_a_sentence(self) -> None:
        bomb = "<!DOCTYPE Document [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;'>]>"
        outside = "<!DOCTYPE Document SYSTEM 'file:///etc/passwd'>"
        refused = {
            camt(ENTRIES, before=bomb): "declares a document type",
            camt(ENTRIES, before=outside): "declares a document type",
            camt(ENTRIES, version=13): "no camt.053 statement of version 001.02 to 001.08",
            camt(ENTRIES).replace(b"camt.053", b"camt.054"): "no camt.053 statement",
            b"<html></html>": "no camt.053 statement",
            camt(ENTRIES)[:-20]: "not well-formed XML",
        }
        for data, problem in refused.items():
            with pytest.raises(Unreadable, match=problem):
                lines(data)

    def test_passes_over_what_other_schemas_add(self) -> None:
        extra = "<SplmtryData><Envlp><x:Own xmlns:x='urn:own'><x:Ntry/></x:Own></Envlp></SplmtryData>"
        assert told(camt(ENTRIES, prefix=extra)) == EXPECTED
