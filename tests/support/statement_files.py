"""Statement files of FicMart's bank, with the same four lines in every form that programs write."""

from datetime import UTC, datetime

from payments.domain.states import OperationKind

HOLD, CAPTURE, VOID, REFUND = (f"{n}0000000-0000-4000-8000-00000000abcd" for n in range(1, 5))
HEADER = "entry_id,type,reference_id,amount_cents,currency,created_at"
ROWS = [
    f"{HOLD},AUTH_HOLD,,5000,USD,2026-11-21T09:30:00.123456789Z",
    f"{CAPTURE},CAPTURE,{HOLD},5000,USD,2026-11-21T10:30:00.123456Z",
    f"{VOID},VOID,{HOLD},5000,USD,2026-11-21T23:59:59+00:00",
    f"{REFUND},REFUND,{CAPTURE},5000,USD,2026-11-22T00:59:59.500000+01:00",
]
WHOLE = "\n".join([HEADER, *ROWS]) + "\n"


A, C, V, R = f"auth_{HOLD}", f"cap_{CAPTURE}", f"void_{VOID}", f"ref_{REFUND}"
EXPECTED = [
    (A, OperationKind.AUTHORIZE, "", 5000, "USD", datetime(2026, 11, 21, 9, 30, 0, 123456, UTC)),
    (C, OperationKind.CAPTURE, A, 5000, "USD", datetime(2026, 11, 21, 10, 30, 0, 123456, UTC)),
    (V, OperationKind.VOID, A, 5000, "USD", datetime(2026, 11, 21, 23, 59, 59, 0, UTC)),
    (R, OperationKind.REFUND, C, 5000, "USD", datetime(2026, 11, 21, 23, 59, 59, 500000, UTC)),
]


def reordered(text: str) -> str:
    rows = [row.split(",") for row in text.splitlines()]
    return "\n".join(";".join(f'"{row[at]}"' for at in (5, 3, 0, 4, 2, 1)) + ";more" for row in rows)


def in_decimals(mark: str) -> str:
    return WHOLE.replace("amount_cents", "amount").replace(",5000,", f',"50{mark}00",')


DOCUMENT = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version:02}"


def entry(number: int, word: str, own: str, names: str = "", **changes: str) -> str:
    amount = changes.get("amount", "50.00")
    direction = changes.get("direction", "DBIT" if word == "REFUND" else "CRDT")
    status = "PDNG" if word == "AUTH_HOLD" else "BOOK"
    refs = f"<NtryDtls><TxDtls><Refs><TxId>{names}</TxId></Refs></TxDtls></NtryDtls>" if names else ""
    return (
        f"<Ntry><NtryRef>{number}</NtryRef><Amt Ccy='{changes.get('currency', 'USD')}'>{amount}</Amt>"
        f"<CdtDbtInd>{direction}</CdtDbtInd><Sts>{changes.get('status', f'<Cd>{status}</Cd>')}</Sts>"
        f"<BookgDt><DtTm>{changes.get('at', str(EXPECTED[number - 1][5].isoformat()))}</DtTm></BookgDt>"  # type: ignore[attr-defined]
        f"<AcctSvcrRef>{own}</AcctSvcrRef><BkTxCd><Prtry><Cd>{word}</Cd></Prtry></BkTxCd>{refs}</Ntry>"
    )


ENTRIES = [
    entry(1, "AUTH_HOLD", HOLD),
    entry(2, "CAPTURE", CAPTURE, HOLD),
    entry(3, "VOID", VOID, HOLD),
    entry(4, "REFUND", REFUND, CAPTURE),
]


def camt(entries: list[str], version: int = 8, before: str = "", prefix: str = "") -> bytes:
    return (
        f"<?xml version='1.0' encoding='UTF-8'?>{before}<Document xmlns='{DOCUMENT.format(version=version)}'>"
        "<BkToCstmrStmt><GrpHdr><MsgId>m</MsgId></GrpHdr><Stmt><Id>1</Id>"
        "<FrToDt><FrDtTm>2026-11-21T00:00:00Z</FrDtTm><ToDtTm>2026-11-22T00:00:00Z</ToDtTm></FrToDt>"
        f"{prefix}{''.join(entries)}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


CSV_FORMS = {
    "plain": WHOLE.encode(),
    "with a byte order mark": WHOLE.encode("utf-8-sig"),
    "UTF-16": WHOLE.encode("utf-16"),
    "UTF-16, the other end first": b"\xfe\xff" + WHOLE.encode("utf-16-be"),
    "CRLF": WHOLE.replace("\n", "\r\n").encode(),
    "without a last newline": WHOLE.rstrip().encode(),
    "with empty lines": WHOLE.replace("\n", "\n\n").encode(),
    "columns in another order, quoted, by semicolons": reordered(WHOLE).encode(),
    "by tabs": WHOLE.replace(",", "\t").encode(),
    "header in capitals": WHOLE.replace(HEADER, HEADER.upper()).encode(),
    "ids in capitals": WHOLE.replace(CAPTURE, CAPTURE.upper()).encode(),
    "with prefixes": WHOLE.replace(f"\n{CAPTURE}", f"\ncap_{CAPTURE}").encode(),
    "without hyphens": WHOLE.replace(HOLD, HOLD.replace("-", "")).encode(),
    "plus signs": WHOLE.replace(",5000,", ",+5000,").encode(),
    "decimal points": in_decimals(".").encode(),
    "decimal commas": in_decimals(",").encode(),
}
