"""The folder into which banks deliver their statements."""

import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from office.schedules import books
from payments.models import Operation
from payments.models.clock import read_clock
from reconciliation.models import Match, StatementFile
from reconciliation.services import inbox
from reconciliation.services.imports import Busy
from reconciliation.services.inbox import Taken, take_in
from tests.support.api_client import ApiClient
from tests.support.at_once import at_once
from tests.support.simulated_bank import SimulatedBank

HEADER = "entry_id,type,reference_id,amount_cents,currency,created_at\n"
YESTERDAY = date(2026, 11, 20)
NAME = f"{YESTERDAY}.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ficmart").mkdir()
    return tmp_path


def taken_in(folder: Path) -> list[Taken]:
    return take_in(folder, actor="test", quiet=0)


def names(folder: Path) -> list[str]:
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())


class TestAFile:
    def test_is_imported_matched_and_moved(self, folder: Path, live: ApiClient, bank: SimulatedBank) -> None:
        live.captured()
        today = read_clock().date()
        (folder / "ficmart" / f"{today}.csv").write_text(bank.statement(today))
        assert taken_in(folder) == [Taken("ficmart", f"{today}.csv", "imported")]
        assert names(folder) == [f"ficmart/done/{today}.csv"]
        assert Match.objects.count() == Operation.objects.count() == 2
        file = StatementFile.objects.get()
        assert file.covers_to <= file.imported_at  # the day may still get entries
        assert taken_in(folder) == []

    def test_is_refused_with_a_sentence_beside_it(self, folder: Path) -> None:
        (folder / "ficmart" / NAME).write_text("what,is,this\n")
        (taken,) = taken_in(folder)
        assert taken.result == "refused"
        assert names(folder) == [f"ficmart/refused/{NAME}", f"ficmart/refused/{NAME}.txt"]
        assert (folder / f"ficmart/refused/{NAME}.txt").read_text() == f"{taken.why}\n"
        assert "names no column" in taken.why
        assert not StatementFile.objects.exists()

    def test_follows_no_link_of_whoever_delivers(self, folder: Path, tmp_path: Path) -> None:
        inbox, outside = folder / "ficmart", tmp_path / "outside"
        outside.mkdir()
        (outside / "kept.txt").write_text("kept")
        (inbox / "refused").mkdir()
        (inbox / f"refused/{NAME}.txt").symlink_to(outside / "kept.txt")
        (inbox / "done").symlink_to(outside)
        (inbox / NAME).write_text("what,is,this\n")
        assert [one.result for one in taken_in(folder)] == ["refused"]
        assert (inbox / "refused/2026-11-20-2.csv.txt").is_file()
        (inbox / NAME).write_text(HEADER)
        with pytest.raises(OSError, match="done is a symbolic link"):
            taken_in(folder)
        assert (inbox / NAME).is_file()
        assert names(outside) == ["kept.txt"]
        assert (outside / "kept.txt").read_text() == "kept"

    def test_is_moved_where_a_crash_has_left_it_imported(self, folder: Path) -> None:
        for result in ("imported", "known"):
            (folder / "ficmart" / NAME).write_text(HEADER)
            assert taken_in(folder) == [Taken("ficmart", NAME, result)]  # type: ignore[arg-type]
        assert names(folder) == ["ficmart/done/2026-11-20-2.csv", f"ficmart/done/{NAME}"]
        assert StatementFile.objects.count() == 1

    def test_of_a_day_without_entries_is_one_of_many_that_are_alike(self, folder: Path) -> None:
        for name in ("2026-11-18.csv", "2026-11-19.csv", NAME, "2026-11-19-again.csv"):
            (folder / "ficmart" / name).write_text(HEADER)
        results = {one.name: one.result for one in taken_in(folder)}
        assert results.pop("2026-11-19.csv") == "known"  # `-` comes before `.`
        assert set(results.values()) == {"imported"}
        assert StatementFile.objects.count() == 3

    def test_of_a_day_that_has_not_come_is_refused(self, folder: Path) -> None:
        tomorrow = read_clock().date() + timedelta(days=1)
        (folder / "ficmart" / f"{tomorrow}.csv").write_text(HEADER)
        (taken,) = taken_in(folder)
        assert (taken.result, "not over yet" in taken.why) == ("refused", True)

    def test_waits_while_it_is_written(self, folder: Path) -> None:
        (folder / "ficmart" / NAME).write_text(HEADER)
        assert take_in(folder, actor="test", quiet=5) == []
        os.utime(folder / "ficmart" / NAME, (1, 1))  # a sender may set the times of the original
        assert take_in(folder, actor="test", quiet=5) == []
        for unfinished in (".hidden.csv", f"{NAME}.part", f"{NAME}.tmp", "~lock.csv"):
            (folder / "ficmart" / unfinished).write_text(HEADER)
        (folder / "ficmart" / NAME).unlink()
        assert taken_in(folder) == []

    def test_stays_if_it_has_grown_meanwhile(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = folder / "ficmart" / NAME
        path.write_text(HEADER)
        real = inbox.import_file

        def growing(*args: Any, **options: Any) -> Any:
            done = real(*args, **options)
            path.write_text(HEADER + "\n")
            return done

        with monkeypatch.context() as patched:
            patched.setattr(inbox, "import_file", growing)
            taken_in(folder)
        assert names(folder) == [f"ficmart/{NAME}"]
        taken_in(folder)
        assert names(folder) == [f"ficmart/done/{NAME}"]

    def test_waits_while_another_process_has_the_bank(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / "ficmart" / NAME).write_text(HEADER)

        def busy(*_args: Any, **_options: Any) -> Any:
            raise Busy("try again")

        with monkeypatch.context() as patched:
            patched.setattr(inbox, "import_file", busy)
            assert taken_in(folder) == [Taken("ficmart", NAME, "waits", "try again")]
        assert taken_in(folder) == [Taken("ficmart", NAME, "imported")]

    def test_that_cannot_be_read_holds_up_no_other(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("2026-11-19.csv", NAME):
            (folder / "ficmart" / name).write_text(HEADER)
        real = inbox.import_file

        def failing(path: Path, **options: Any) -> Any:
            if path.name != NAME:
                raise RuntimeError("a defect")
            return real(path, **options)

        monkeypatch.setattr(inbox, "import_file", failing)
        with pytest.raises(RuntimeError, match="a defect"):
            taken_in(folder)
        assert names(folder) == ["ficmart/2026-11-19.csv", f"ficmart/done/{NAME}"]


class TestTheFolder:
    def test_is_worked_on_by_one_at_a_time(self, folder: Path) -> None:
        for day in range(10, 16):
            (folder / "ficmart" / f"2026-11-{day}.csv").write_text(HEADER)
        taken = at_once(*[lambda: taken_in(folder)] * 3)
        assert sorted(one.name for some in taken for one in some) == [
            f"2026-11-{day}.csv" for day in range(10, 16)
        ]
        assert StatementFile.objects.count() == 6

    def test_may_have_other_folders_and_files(self, folder: Path) -> None:
        (folder / "unknown").mkdir()
        (folder / "unknown" / NAME).write_text(HEADER)
        (folder / NAME).write_text(HEADER)
        assert taken_in(folder) == []

    def test_is_the_worker_s_to_look_at(self, folder: Path, settings: Any) -> None:
        assert books.take_in_statements() == 0
        settings.STATEMENTS_FOLDER = str(folder / "away")
        with pytest.raises(FileNotFoundError):
            books.take_in_statements()
        settings.STATEMENTS_FOLDER = str(folder)
        assert books.take_in_statements() == 0
