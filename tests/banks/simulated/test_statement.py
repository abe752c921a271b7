"""`python -m bank statement`: the day's file, to the byte."""

from datetime import UTC, date, datetime
from pathlib import Path

from tests.banks.simulated.command import run_bank
from tests.support.simulated_bank import SimulatedBank

HEADER = "entry_id,type,reference_id,amount_cents,currency,created_at\n"


class TestStatement:
    def test_it_lists_the_day_oldest_first(self, bank: SimulatedBank, authorize, post) -> None:
        bank.set_clock(datetime(2026, 11, 30, 12, tzinfo=UTC))
        first = authorize(bank, "1", 100).json()["authorization_id"]
        second = authorize(bank, "2", 250).json()["authorization_id"]
        capture = post(bank, "captures", "3", authorization_id=first, amount=100).json()["capture_id"]
        void = post(bank, "voids", "4", authorization_id=second).json()["void_id"]
        refund = post(bank, "refunds", "5", capture_id=capture, amount=100).json()["refund_id"]
        at = [entry.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for entry in bank.ledger()]
        first, second, capture, void, refund = (
            one.partition("_")[2] for one in (first, second, capture, void, refund)
        )

        assert bank.statement(date(2026, 11, 30)) == (
            HEADER + f"{first},AUTH_HOLD,,100,USD,{at[0]}\n"
            f"{second},AUTH_HOLD,,250,USD,{at[1]}\n"
            f"{capture},CAPTURE,{first},100,USD,{at[2]}\n"
            f"{void},VOID,{second},250,USD,{at[3]}\n"
            f"{refund},REFUND,{capture},100,USD,{at[4]}\n"
        )

    def test_a_day_is_a_day_in_utc(self, bank: SimulatedBank, authorize) -> None:
        bank.set_clock(datetime(2026, 11, 30, 23, 59, 50, tzinfo=UTC))
        authorize(bank, "before midnight", 1)
        bank.move_clock(seconds=20)
        authorize(bank, "after midnight", 2)
        assert ",1,USD,2026-11-30T23:59:5" in bank.statement(date(2026, 11, 30))
        assert ",2,USD,2026-12-01T00:00:1" in bank.statement(date(2026, 12, 1))
        assert len(bank.statement(date(2026, 11, 30)).splitlines()) == 2

    def test_it_shows_the_hold_that_nothing_on_the_wire_shows(self, bank: SimulatedBank, authorize) -> None:
        bank.script("authorizations", "lookup_fails")
        lost = authorize(bank, "one key").json()["authorization_id"]
        kept = authorize(bank, "one key").json()["authorization_id"]
        statement = bank.statement(bank.now().date())
        assert lost.removeprefix("auth_") in statement
        assert kept.removeprefix("auth_") in statement

    def test_it_can_be_written_to_a_file(self, bank: SimulatedBank, authorize, tmp_path: Path) -> None:
        authorize(bank, "a key")
        today = bank.now().date()
        file = tmp_path / "statement.csv"
        done = run_bank(
            *("statement", "--date", today.isoformat(), "--output", str(file)), BANK_DB=str(bank.database)
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert file.read_text() == bank.statement(today)

    def test_a_date_that_is_none_is_refused(self) -> None:
        done = run_bank("statement", "--date", "yesterday")
        assert done.returncode == 2
        assert "'yesterday' is not a date" in done.stderr
        assert "Traceback" not in done.stderr

    def test_without_a_ledger_there_is_no_statement(self, tmp_path: Path) -> None:
        done = run_bank("statement", "--date", "2026-11-30", BANK_DB=str(tmp_path / "nothing"))
        assert done.returncode == 1
        assert done.stderr == f"bank: There is no ledger at {tmp_path / 'nothing'}.\n"
        assert not (tmp_path / "nothing").exists()

    def test_a_file_that_cannot_be_written_is_one_plain_line(
        self, bank: SimulatedBank, tmp_path: Path
    ) -> None:
        done = run_bank(
            *("statement", "--date", "2026-11-30", "--output", str(tmp_path / "missing" / "file")),
            BANK_DB=str(bank.database),
        )
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
