"""A camt.053 file that somebody else's library writes, pyiso20022."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from pyiso20022.camt import camt_053_001_08 as iso
from xsdata.formats.dataclass.serializers import XmlSerializer
from xsdata.models.datatype import XmlDate, XmlDateTime

from payments.domain.days import begin_of
from reconciliation.models import StatementLine
from reconciliation.services.imports import import_file
from tests.support.statement_files import CAPTURE, EXPECTED, HOLD, REFUND, VOID


def test_is_imported(tmp_path: Path) -> None:
    path = tmp_path / "statement.xml"
    path.write_bytes(of_pyiso20022())
    done = import_file(path, bank="ficmart", actor="operator")
    assert (done.file.form, done.file.new_lines) == ("camt.053", 4)
    told = StatementLine.objects.order_by("number").values_list(
        "reference", "kind", "target_reference", "amount_minor", "currency", "at"
    )
    assert list(told) == EXPECTED
    midnight = begin_of(date(2026, 11, 21))
    assert (done.file.covers_from, done.file.covers_to) == (midnight, midnight + timedelta(days=1))


def of_pyiso20022() -> bytes:
    """The four lines as camt.053.001.08, as its schema's own classes write them.

    There an id has 35 characters at most: too few for a UUID with its hyphens.
    """
    ids = {"AUTH_HOLD": HOLD, "CAPTURE": CAPTURE, "VOID": VOID, "REFUND": REFUND}
    names = {"CAPTURE": HOLD, "VOID": HOLD, "REFUND": CAPTURE}
    in_, out = iso.CreditDebitCode.CRDT, iso.CreditDebitCode.DBIT
    amount = iso.ActiveOrHistoricCurrencyAndAmount(value=Decimal("50.00"), ccy="USD")
    entries = [
        iso.ReportEntry10(
            ntry_ref=str(number),
            amt=amount,
            cdt_dbt_ind=out if word == "REFUND" else in_,
            sts=iso.EntryStatus1Choice(cd="PDNG" if word == "AUTH_HOLD" else "BOOK"),
            bookg_dt=iso.DateAndDateTime2Choice(dt_tm=XmlDateTime.from_datetime(EXPECTED[number][5])),
            bk_tx_cd=iso.BankTransactionCodeStructure4(
                prtry=iso.ProprietaryBankTransactionCodeStructure1(cd=word, issr="FicMart's bank")
            ),
            ntry_dtls=[
                iso.EntryDetails9(
                    tx_dtls=[
                        iso.EntryTransaction10(
                            refs=iso.TransactionReferences6(
                                acct_svcr_ref=own.replace("-", ""),
                                tx_id=names[word].replace("-", "") if word in names else None,
                            ),
                            amt=amount,
                        )
                    ]
                )
            ],
        )
        for number, (word, own) in enumerate(ids.items())
    ]
    statement = iso.AccountStatement9(
        id="2026-11-21",
        fr_to_dt=iso.DateTimePeriod1(
            fr_dt_tm=XmlDateTime.from_string("2026-11-21T00:00:00Z"),
            to_dt_tm=XmlDateTime.from_string("2026-11-21T23:59:59Z"),
        ),
        acct=iso.CashAccount39(
            id=iso.AccountIdentification4Choice(othr=iso.GenericAccountIdentification1(id="FicMart"))
        ),
        bal=[
            iso.CashBalance8(
                tp=iso.BalanceType13(cd_or_prtry=iso.BalanceType10Choice(cd="CLBD")),
                amt=amount,
                cdt_dbt_ind=in_,
                dt=iso.DateAndDateTime2Choice(dt=XmlDate(2026, 11, 21)),
            )
        ],
        ntry=entries,
    )
    header = iso.GroupHeader81(msg_id="1", cre_dt_tm=XmlDateTime.from_string("2026-11-22T04:00:00Z"))
    document = iso.Document(bk_to_cstmr_stmt=iso.BankToCustomerStatementV08(grp_hdr=header, stmt=[statement]))
    return XmlSerializer().render(document).encode()
