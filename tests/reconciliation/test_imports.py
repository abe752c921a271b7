"""A statement file is imported whole or not at all, each file once, and each line once."""

import gzip
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from django.db import connection

from payments.domain.days import begin_of
from reconciliation.models import StatementFile, StatementLine
from reconciliation.services import bank_lock, imports
from reconciliation.services.imports import AlreadyImported, Imported, Refused, import_file
from tests.support.api_client import ApiClient
from tests.support.simulated_bank import SimulatedBank
from tests.support.statement_files import (
    CSV_FORMS,
    ENTRIES,
    EXPECTED,
    HEADER,
    ROWS,
    WHOLE,
    camt,
)

DAY = date(2026, 11, 21)
MIDNIGHT = begin_of(DAY)
# What the bank did in the last second of the day.
LATE = "\n".join([HEADER, *ROWS[2:]]) + "\n"


class Folder:
    """Where the bank's files lie."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def take(self, data: bytes | str, name: str = "statement.csv", day: date | None = None) -> Imported:
        path = self.path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return import_file(path, bank="ficmart", actor="operator", day=day)

    def refusal(self, data: bytes | str, name: str = "statement.csv", day: date | None = None) -> Refused:
        before = StatementFile.objects.count(), StatementLine.objects.count()
        with pytest.raises(Refused) as refused:
            self.take(data, name, day)
        assert (StatementFile.objects.count(), StatementLine.objects.count()) == before
        return refused.value


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def kept() -> list[tuple[object, ...]]:
    """The lines in the database, in the file's order."""
    return list(
        StatementLine.objects.order_by("file", "number").values_list(
            "reference", "kind", "target_reference", "amount_minor", "currency", "at"
        )
    )


class TestALine:
    def test_is_kept_as_the_bank_wrote_it(self, folder: Folder) -> None:
        folder.take(WHOLE)
        assert kept() == EXPECTED
        assert list(StatementLine.objects.order_by("file", "number").values_list("number", "repeats")) == [
            (2, 0), (3, 0), (4, 0), (5, 0),
        ]  # fmt: skip

    def test_is_the_same_in_every_form_and_kept_once(self, folder: Folder) -> None:
        versions = {f"camt.053.001.{version:02}": camt(ENTRIES, version) for version in range(2, 9)}
        for form, data in (CSV_FORMS | versions).items():
            done = folder.take(data)
            is_first = form == "plain"
            assert (done.file.lines, done.file.new_lines) == (4, 4 if is_first else 0), form
            assert kept() == EXPECTED, form

    def test_is_the_same_with_six_and_nine_digits_of_a_second(self, folder: Folder) -> None:
        folder.take(WHOLE)
        assert folder.take(WHOLE.replace(".123456789Z", ".123456Z")).file.new_lines == 0
        assert folder.take(WHOLE.replace(".123456789Z", ".123Z")).file.new_lines == 0

    def test_of_another_amount_is_another_line(self, folder: Folder) -> None:
        folder.take(WHOLE)
        assert folder.take(WHOLE.replace(",5000,", ",4900,")).file.new_lines == 4

    def test_that_comes_again_in_its_file_is_kept_once_and_counted(self, folder: Folder) -> None:
        later = ROWS[1].replace("10:30", "11:30")
        done = folder.take("\n".join([HEADER, *ROWS[:2], later, later]))
        assert (done.file.lines, done.file.new_lines) == (4, 2)
        capture = StatementLine.objects.get(kind="capture")
        assert (capture.number, capture.repeats, capture.at) == (3, 2, EXPECTED[1][5])

    def test_belongs_to_the_file_that_had_it_first(self, folder: Folder) -> None:
        first = folder.take("\n".join([HEADER, *ROWS[:2]]), "first.csv")
        second = folder.take("\n".join([HEADER, *ROWS[1:]]), "second.csv")
        assert [first.file.new_lines, second.file.new_lines] == [2, 2]
        files = StatementLine.objects.order_by("file", "number").values_list("file__name", flat=True)
        assert list(files) == ["first.csv"] * 2 + ["second.csv"] * 2


class TestAFile:
    def test_is_recorded_with_who_imported_it(self, folder: Folder) -> None:
        file = folder.take(WHOLE).file
        assert (file.bank, file.name, file.form, file.actor) == (
            "ficmart",
            "statement.csv",
            "csv",
            "operator",
        )
        assert datetime.now(UTC) - file.imported_at < timedelta(minutes=5)

    def test_is_imported_once_whatever_its_name(self, folder: Folder) -> None:
        folder.take(WHOLE)
        told = folder.refusal(WHOLE, "again.csv")
        assert isinstance(told, AlreadyImported)
        assert str(told).startswith(
            "again.csv was imported already, as statement.csv of the bank ficmart, at "
        )

    def test_is_not_imported_as_another_banks(self, folder: Folder, tmp_path: Path) -> None:
        folder.take(WHOLE)
        with pytest.raises(AlreadyImported):
            import_file(tmp_path / "statement.csv", bank="sandbox", actor="operator")

    def test_covers_the_day_that_it_is_of(self, folder: Folder) -> None:
        tomorrow = MIDNIGHT + timedelta(days=1)
        cases: dict[str, tuple[str | bytes, date | None, datetime]] = {
            "statement.csv": (WHOLE, None, MIDNIGHT),  # the day of its last line
            "ficmart-2026-11-22.csv": (LATE + "\n", None, tomorrow),  # its lines come late
            "ficmart_20261122_0415.csv": (LATE + "\n\n", None, tomorrow),
            "2026-11-21-exported-2026-11-22.csv": (WHOLE + "\n\n\n", None, MIDNIGHT),  # it has two days
            "order-12345678.csv": (WHOLE + "\n\n\n\n", None, MIDNIGHT),
            "ficmart-2026-11-30.csv": (LATE + "\n\n\n", date(2026, 11, 22), tomorrow),
            "none-2026-11-22.csv": (HEADER, None, tomorrow),
            "2026-11-25.xml": (camt(ENTRIES), date(2026, 11, 26), MIDNIGHT),  # it says so itself
        }
        for name, (data, day, begins) in cases.items():
            file = folder.take(data, name, day).file
            assert (file.covers_from, file.covers_to) == (begins, begins + timedelta(days=1)), name

    def test_of_several_statements_covers_the_time_of_all(self, folder: Folder) -> None:
        second = (
            b"</Stmt><Stmt><Id>2</Id><FrToDt><FrDtTm>2026-11-22T00:00:00Z</FrDtTm>"
            b"<ToDtTm>{}</ToDtTm></FrToDt></Stmt></BkToCstmrStmt>"
        )
        end = b"</Stmt></BkToCstmrStmt>"
        two = camt(ENTRIES).replace(end, second.replace(b"{}", b"2026-11-22T23:59:59.999Z"))
        assert folder.take(two).file.covers_to == MIDNIGHT + timedelta(days=2)
        apart = two.replace(b"2026-11-22T00:00:00Z</FrDtTm>", b"2026-11-22T01:00:00Z</FrDtTm>")
        apart = apart.replace(b"2026-11-22T00:00:00Z</ToDtTm>", b"2026-11-21T23:59:59Z</ToDtTm>")
        assert "cover separate times" in str(folder.refusal(apart))

    def test_whose_day_nobody_can_know_is_refused(self, folder: Folder) -> None:
        assert "says nowhere which day it covers" in str(folder.refusal(HEADER))
        told = str(folder.refusal(WHOLE, "ficmart-2026-11-20.csv"))
        assert told.endswith(
            "before 2026-11-21 00:00:00 UTC, and has a line of 2026-11-21 23:59:59 UTC: one is wrong."
        )
        assert "one is wrong" in str(folder.refusal(WHOLE, day=date(2026, 11, 20)))

    def test_with_the_lines_of_another_day_is_refused(self, folder: Folder) -> None:
        """Its name has the day of the export, say: then it proves nothing about that day."""
        for name, day in (("ficmart-2026-11-22.csv", None), ("statement.csv", date(2026, 11, 22))):
            told = str(folder.refusal(WHOLE, name, day))
            assert told.endswith(
                "from 2026-11-22 00:00:00 UTC on, and its last line is of 2026-11-21 23:59:59 UTC:"
                " one is wrong."
            )

    def test_without_lines_and_of_two_days_is_refused(self, folder: Folder) -> None:
        """The page for a missing day names that day, whatever file is chosen."""
        told = str(folder.refusal(HEADER, "ficmart-2026-11-20.csv", date(2026, 11, 21)))
        assert told.endswith("has no lines, and its name says 2026-11-20, not 2026-11-21: one is wrong.")

    def test_that_is_a_page_of_a_statement_is_refused(self, folder: Folder) -> None:
        """It would cover the whole statement's time with some of its lines."""
        pages = b"<MsgPgntn><PgNb>%b</PgNb><LastPgInd>%b</LastPgInd></MsgPgntn>"
        for page, is_last in ((b"1", b"false"), (b"2", b"true")):
            paged = camt(ENTRIES).replace(b"</MsgId>", b"</MsgId>" + pages % (page, is_last))
            assert "The file is one page of a statement" in str(folder.refusal(paged))
        alone = camt(ENTRIES).replace(b"</MsgId>", b"</MsgId>" + pages % (b"1", b"true"))
        assert folder.take(alone).file.lines == 4

    def test_of_a_day_that_is_not_over_covers_what_comes_before_its_last_line(self, folder: Folder) -> None:
        now = datetime.now(UTC)
        last = max(begin_of(now.date()) + timedelta(seconds=1), now - timedelta(minutes=1))
        data = f"{HEADER}\n{ROWS[0].rpartition(',')[0]},{last.isoformat()}\n"
        file = folder.take(data).file
        assert (file.covers_from, file.covers_to) == (begin_of(now.date()), last)
        assert isinstance(folder.refusal(data), AlreadyImported)
        with mock.patch.object(imports, "read_clock", return_value=now + timedelta(days=1)):
            again = folder.take(data).file
        midnight = begin_of(now.date() + timedelta(days=1))
        assert (again.new_lines, again.covers_from, again.covers_to) == (0, file.covers_from, midnight)
        for name, empty in ((f"{now:%Y-%m-%d}.csv", HEADER), ("2099-01-01.csv", HEADER)):
            assert "which is not over yet" in str(folder.refusal(empty, name))
        tomorrow = data.replace(last.isoformat(), (now + timedelta(days=1)).isoformat())
        assert "which is still to come" in str(folder.refusal(tomorrow))

    def test_with_malformed_lines_is_refused_whole_and_each_is_told(self, folder: Folder) -> None:
        broken = [row.replace(",5000,", f",{n}.5,") for n, row in enumerate(ROWS)]
        told = folder.refusal("\n".join([HEADER, ROWS[0], *broken, ROWS[1]]))
        assert str(told) == "statement.csv was not imported: 4 lines are malformed."
        assert told.sentences[1] == "Line 3: the amount '0.5' is not a whole number of minor units."
        assert [one.number for one in told.malformed] == [3, 4, 5, 6]

    def test_with_very_many_malformed_lines_tells_of_the_first(self, folder: Folder) -> None:
        told = folder.refusal("\n".join([HEADER, *["nothing"] * 250]))
        assert str(told) == "statement.csv was not imported: 250 lines are malformed."
        assert (len(told.malformed), told.malformed_lines) == (100, 250)
        assert told.sentences[-1] == "And 150 more."

    def test_that_is_no_statement_is_refused_in_a_sentence(self, folder: Folder, tmp_path: Path) -> None:
        for data, problem in {
            b"": "The file is empty.",
            gzip.compress(WHOLE.encode()): "The file is neither UTF-8 nor UTF-16: it cannot be read.",
            camt(ENTRIES)[:-30]: "The file is not well-formed XML",
            WHOLE.encode()[:-1] + b"\xff\n": "The file is neither UTF-8 nor UTF-16: it cannot be read.",
        }.items():
            assert str(folder.refusal(data)).startswith(f"statement.csv was not imported. {problem}")
        with pytest.raises(Refused, match=r"none\.csv cannot be read: No such file or directory"):
            import_file(tmp_path / "none.csv", bank="ficmart", actor="operator")
        with pytest.raises(Refused, match="The bank acquirer gives no statements"):
            import_file(tmp_path / "statement.csv", bank="acquirer", actor="operator")

    def test_in_a_form_that_the_bank_does_not_have_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "sandbox.xml").write_bytes(camt(ENTRIES))
        with pytest.raises(Refused, match=r"The bank sandbox gives statements as csv, not as camt\.053"):
            import_file(tmp_path / "sandbox.xml", bank="sandbox", actor="operator")

    def test_that_grows_while_it_is_read_is_refused(self, folder: Folder, tmp_path: Path) -> None:
        path = tmp_path / "statement.csv"
        path.write_text(WHOLE)

        def grow(_read: int) -> None:
            os.utime(path, ns=(0, 0))

        with pytest.raises(Refused, match="was changed while it was read"):
            import_file(path, bank="ficmart", actor="operator", progress=grow)
        assert kept() == []

    def test_may_have_any_name(self, folder: Folder) -> None:
        name = os.fsdecode(b"Auszug \xfc " + "\u00fc".encode() * 100 + b".csv")
        assert folder.take(WHOLE, name).file.name.startswith("Auszug \ufffd \u00fc\u00fc")

    def test_tells_how_far_it_has_been_read(self, tmp_path: Path) -> None:
        for name, data in (("a.csv", WHOLE.encode()), ("b.xml", camt(ENTRIES))):
            (tmp_path / name).write_bytes(data)
            told: list[int] = []
            import_file(tmp_path / name, bank="ficmart", actor="operator", progress=told.append)
            assert sum(told) == len(data)


def test_waits_only_for_a_while_for_another_import_of_the_bank(folder: Folder) -> None:
    other = connection.copy()
    with other.cursor() as cursor, mock.patch.object(bank_lock, "_PATIENCE", "50ms"):
        cursor.execute("SELECT pg_advisory_lock(hashtextextended('statements of ficmart', 0))")
        assert "The bank ficmart's statements are being imported" in str(folder.refusal(WHOLE))
    other.close()


def test_the_banks_own_export_shows_its_ids_and_amounts(
    live: ApiClient, bank: SimulatedBank, folder: Folder
) -> None:
    payments = [live.authorized() for _ in range(2)]
    assert live.post(f"/payments/{payments[0]['id']}/capture").status == 200
    assert live.post(f"/payments/{payments[1]['id']}/void").status == 200
    exported = bank.statement(datetime.now(UTC).date())
    assert folder.take(exported).file.new_lines == 4
    told = [live.receipt(one["id"])["bank"] for one in payments]
    holds = [one["authorization_id"] for one in told]
    assert [row[:5] for row in kept()] == [
        (holds[0], "authorize", "", 5000, "USD"),
        (holds[1], "authorize", "", 5000, "USD"),
        (told[0]["capture_id"], "capture", holds[0], 5000, "USD"),
        (told[1]["void_id"], "void", holds[1], 5000, "USD"),
    ]
