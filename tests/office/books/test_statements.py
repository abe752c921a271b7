"""Statements in the back office: which are there, which are missing and awaited, and the upload."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from payments.domain.states import Mode, OperationKind
from payments.models import Event, Operation
from reconciliation.models import Difference, Run, StatementFile, StatementLine
from tests.office.pages.conftest import Staff, text_of
from tests.support.book_factories import (
    DAY,
    DifferenceFactory,
    MatchFactory,
    StatementFileFactory,
    StatementLineFactory,
)
from tests.support.factories import AttemptFactory, OperationFactory, PaymentFactory

LIST = "/admin/reconciliation/statementfile/"
UPLOAD = f"{LIST}upload/"
AWAITED = f"{LIST}awaited/"
A_DAY = timedelta(days=1)
HEADER = "entry_id,type,reference_id,amount_cents,currency,created_at"
HOLD = "10000000-0000-4000-8000-000000000000"


def today() -> date:
    return datetime.now(UTC).date()


def csv_of(*rows: str) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()


def upload(staff: Staff, content: bytes, **given: Any) -> str:
    """What the page shows after it."""
    file = SimpleUploadedFile(given.pop("name", "statement-2026-11-21.csv"), content)
    response = staff.client.post(UPLOAD, {"bank": "ficmart", "file": file} | given, follow=True)
    assert response.status_code == 200, response
    return text_of(response.content.decode())


def awaiting(at: datetime, **payment: Any) -> Operation:
    """An authorize that may have made a second hold at that time."""
    operation: Operation = OperationFactory(
        payment=PaymentFactory(**payment), strays_awaited=1, created_at=at
    )
    AttemptFactory(operation=operation, silent=True, started_at=at)
    return operation


class TestTheList:
    def test_says_what_each_file_covers_and_who_imported_it(self, support: Staff) -> None:
        StatementFileFactory(day=DAY, lines=1200, new_lines=1000, actor="staff:fin")
        StatementFileFactory(
            day=DAY + A_DAY,
            covers_to=datetime(2026, 11, 24, tzinfo=UTC),
            form="camt.053",
            name="of two days.xml",
        )
        StatementFileFactory(
            covers_from=datetime(2026, 11, 25, 1, tzinfo=UTC), covers_to=datetime(2026, 11, 25, 2, tzinfo=UTC)
        )
        shown = support.read(LIST)
        assert "2026-11-21 ficmart ficmart-2026-11-21.csv csv 1,200 1,000" in shown
        assert "2026-11-22 to 2026-11-23 ficmart of two days.xml camt.053 1 1" in shown
        assert "2026-11-25 01:00:00 to 2026-11-25 02:00:00" in shown
        assert " fin " in shown

    def test_marks_the_days_that_lack_one(self, support: Staff, finance: Staff) -> None:
        first = today() - 4 * A_DAY
        StatementFileFactory(day=first)
        StatementFileFactory(day=first + 2 * A_DAY)
        missing = [first + A_DAY, first + 3 * A_DAY]
        case = DifferenceFactory(
            kind=Difference.Kind.STATEMENT_MISSING,
            line=None,
            bank="ficmart",
            amount_minor=None,
            currency="",
            happened_at=datetime(missing[0].year, missing[0].month, missing[0].day, tzinfo=UTC),
        )
        page = finance.client.get(LIST).content.decode()
        assert f"{missing[0]} ficmart Upload… Case {missing[1]} ficmart Upload…" in text_of(page)
        assert f"?bank=ficmart&amp;day={missing[1]}" in page
        assert f"/difference/{case.pk}/change/" in page
        assert "Upload" not in support.read(LIST)

    def test_leads_to_the_lines_of_a_file(self, support: Staff) -> None:
        match = MatchFactory(
            operation=OperationFactory(payment=PaymentFactory(order_id="order-77"), succeeded=True)
        )
        line = StatementLineFactory(file=match.line.file, kind=OperationKind.REFUND, amount_minor=700)
        shown = support.read(f"{LIST}{match.line.file_id}/change/")
        assert f"authorize {match.line.reference} $50.00 2026-11-21 12:00:00 UTC order-77" in shown
        assert f"refund {line.reference} {line.target_reference} $7.00" in shown
        assert support.client.get(f"{LIST}x/change/")["Location"] == LIST


class TestWhatAwaitsAStatement:
    def test_is_a_day_with_the_upload_beside_it(self, support: Staff, finance: Staff) -> None:
        noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
        for at in (noon, noon, datetime(2026, 11, 22, 23, 30, tzinfo=UTC)):
            awaiting(at)
        shown = finance.read(AWAITED)
        assert "2026-11-21 ficmart 2 Upload the statement…" in shown
        assert "2026-11-22 ficmart 1 Upload the statement…" in shown
        assert "2026-11-23 ficmart 1 Upload the statement…" in shown  # an hour after the last attempt
        assert "2026-11-21 ficmart 2 Its statement. Finance uploads it." in support.read(AWAITED)
        page = finance.client.get(AWAITED).content.decode()
        assert f"{UPLOAD}?bank=ficmart&amp;day=2026-11-21" in page

    def test_is_apart_once_the_statement_has_come(self, finance: Staff) -> None:
        awaiting(datetime(2026, 11, 21, 12, tzinfo=UTC))
        StatementFileFactory(day=DAY)
        shown = finance.read(AWAITED)
        assert "No payment awaits a statement that has not come." in shown
        assert "Days whose statement has come" in shown
        assert "2026-11-21 ficmart 1" in shown

    def test_says_where_no_upload_helps(self, finance: Staff) -> None:
        awaiting(datetime(2026, 11, 21, 12, tzinfo=UTC), bank="acquirer", currency="EUR")
        awaiting(datetime(2026, 11, 21, 12, tzinfo=UTC), bank="sandbox", mode=Mode.TEST)
        awaiting(datetime.now(UTC))
        shown = finance.read(AWAITED)
        assert "acquirer 1 This bank gives no statements." in shown
        assert "sandbox test 1 FicPay writes it after the day is over." in shown
        assert f"{today()} ficmart 1 The day is not over." in shown

    def test_is_where_the_dashboard_leads(self, support: Staff) -> None:
        awaiting(datetime.now(UTC))
        assert f'href="{AWAITED}"' in support.client.get("/admin/").content.decode()


@pytest.mark.django_db(transaction=True)
class TestTheUpload:
    def test_imports_reconciles_and_shows_the_report(self, finance: Staff) -> None:
        shown = upload(finance, csv_of(f"{HOLD},AUTH_HOLD,,5000,USD,2026-11-21T09:30:00Z"))
        assert "statement-2026-11-21.csv is imported. Lines: 1, of which 1 are new." in shown
        assert "Reconciliation of ficmart" in shown
        assert "A hold that no payment claims 1 $50.00" in shown
        assert (StatementFile.objects.get().actor, Run.objects.get().actor) == ("staff:fin", "staff:fin")
        assert StatementLine.objects.get().reference == f"auth_{HOLD}"
        logged = Event.objects.get(type=Event.Type.STATEMENT_IMPORTED).evidence
        assert (logged["statement"], logged["lines"]) == ("statement-2026-11-21.csv", 1)

    def test_takes_the_day_and_the_bank_from_the_link(self, finance: Staff) -> None:
        page = finance.client.get(f"{UPLOAD}?bank=ficmart&day=2026-11-21").content.decode()
        assert 'value="2026-11-21"' in page
        upload(finance, csv_of(), name="statement.csv", day="2026-11-22")
        assert StatementFile.objects.get().covers_from == datetime(2026, 11, 22, tzinfo=UTC)

    def test_names_each_line_that_cannot_be_read_and_keeps_nothing(self, finance: Staff) -> None:
        good = f"{HOLD},AUTH_HOLD,,5000,USD,2026-11-21T09:30:00Z"
        shown = upload(finance, csv_of(good, good.replace("5000", "fifty")))
        assert "statement-2026-11-21.csv was not imported: 1 line is malformed." in shown
        assert "Line 3: " in shown
        assert not StatementFile.objects.exists()
        assert not Run.objects.exists()
        assert not Event.objects.filter(type=Event.Type.STATEMENT_IMPORTED).exists()

    def test_says_so_the_second_time(self, finance: Staff) -> None:
        content = csv_of(f"{HOLD},AUTH_HOLD,,5000,USD,2026-11-21T09:30:00Z")
        upload(finance, content)
        assert "again.csv was imported already" in upload(finance, content, name="again.csv")
        assert StatementFile.objects.count() == 1

    def test_refuses_what_is_too_large_or_badly_named(self, finance: Staff, settings: Any) -> None:
        assert "Rename the file." in upload(finance, csv_of(), name="4539578763621486.csv")
        settings.LARGEST_UPLOAD = 10
        assert "larger than" in upload(finance, csv_of())
        assert "This field is required." in text_of(
            finance.client.post(UPLOAD, {"bank": "ficmart"}).content.decode()
        )

    def test_leaves_no_file_behind(self, finance: Staff, settings: Any, tmp_path: Path) -> None:
        settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
        settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1  # onto the disk
        assert "is imported" in upload(finance, csv_of(f"{HOLD},AUTH_HOLD,,5000,USD,2026-11-21T09:30:00Z"))
        assert list(tmp_path.iterdir()) == []
