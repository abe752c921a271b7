"""`python -m bank`: its settings, what it says when it cannot start, and how it stops."""

import signal
from pathlib import Path

import pytest
import requests

from bank.settings import SettingInvalid, Settings
from tests.banks.simulated.command import run_bank
from tests.support.simulated_bank import SimulatedBank


class TestSettings:
    def test_the_defaults_are_those_of_the_real_bank(self) -> None:
        settings = Settings.from_environment({})
        assert (settings.failure_rate, settings.min_latency_ms, settings.max_latency_ms) == (0.05, 100, 2000)
        assert settings.auth_expiry_hours == 168
        assert (settings.host, settings.port) == ("127.0.0.1", 8787)
        assert settings.database == Path("var/bank/ledger.sqlite3")
        assert not settings.control

    def test_the_ledger_lies_under_ficpay_var_unless_bank_db_says_where(self) -> None:
        moved = Settings.from_environment({"FICPAY_VAR": "/data"})
        named = Settings.from_environment({"FICPAY_VAR": "/data", "BANK_DB": "/elsewhere.sqlite3"})
        assert moved.database == Path("/data/bank/ledger.sqlite3")
        assert named.database == Path("/elsewhere.sqlite3")

    def test_port_wins_over_bank_port(self) -> None:
        assert Settings.from_environment({"BANK_PORT": "9000"}).port == 9000
        assert Settings.from_environment({"BANK_PORT": "9000", "PORT": "9001"}).port == 9001

    def test_an_empty_variable_counts_as_unset(self) -> None:
        assert Settings.from_environment({"FAILURE_RATE": "", "PORT": ""}) == Settings.from_environment({})

    def test_a_value_that_means_nothing_is_refused_by_name(self) -> None:
        for name, value in (
            ("FAILURE_RATE", "often"),
            ("FAILURE_RATE", "1.5"),
            ("FAILURE_RATE", "nan"),
            ("MIN_LATENCY_MS", "-1"),
            ("MIN_LATENCY_MS", "3000"),  # more than MAX_LATENCY_MS
            ("MAX_LATENCY_MS", "2s"),
            ("AUTH_EXPIRY_HOURS", "a week"),
            ("PORT", "0"),
            ("PORT", "70000"),
            ("BANK_PORT", "http"),
            ("BANK_CONTROL", "yes"),
        ):
            with pytest.raises(SettingInvalid, match=name):
                Settings.from_environment({name: value})


class TestStartingAndStopping:
    def test_a_bad_setting_is_one_plain_line(self, tmp_path: Path) -> None:
        done = run_bank(FAILURE_RATE="often", BANK_DB=str(tmp_path / "ledger"))
        assert done.returncode == 1
        assert done.stderr == "bank: FAILURE_RATE must be a number from 0 to 1; it is 'often'.\n"

    def test_a_taken_port_is_one_plain_line_that_says_what_to_do(
        self, bank: SimulatedBank, tmp_path: Path
    ) -> None:
        done = run_bank(PORT=str(bank.port), BANK_DB=str(tmp_path / "ledger"))
        assert done.returncode == 1
        assert f"Port {bank.port} on 127.0.0.1 is taken." in done.stderr
        assert "BANK_PORT" in done.stderr
        assert len(done.stderr.splitlines()) == 1

    def test_an_address_that_is_not_ours_is_one_plain_line(self, tmp_path: Path) -> None:
        done = run_bank(BANK_HOST="192.0.2.1", PORT="20000", BANK_DB=str(tmp_path / "ledger"))
        assert done.returncode == 1
        assert done.stderr.startswith("bank: Cannot listen on 192.0.2.1:20000")
        assert len(done.stderr.splitlines()) == 1

    def test_a_ledger_that_cannot_be_opened_is_one_plain_line(self, tmp_path: Path) -> None:
        (tmp_path / "ledger").write_text("this is no database, and long enough that SQLite looks at it" * 20)
        done = run_bank(PORT="20000", BANK_DB=str(tmp_path / "ledger"))
        assert done.returncode == 1
        assert done.stderr.startswith("bank: Cannot open the ledger")
        assert len(done.stderr.splitlines()) == 1

    def test_it_takes_its_weather_from_the_environment_and_stops_cleanly_when_interrupted(
        self, authorize
    ) -> None:
        with SimulatedBank(failure_rate=1.0) as bank:
            assert authorize(bank, "a key").json()["message"] == "Random failure injection"
            process = bank.process
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 0
            assert bank.log.endswith("stopped\n")

    def test_it_stops_cleanly_when_asked_although_requests_hang(self, authorize, background) -> None:
        with SimulatedBank() as bank:
            bank.hold()
            call = background.submit(authorize, bank, "a key")
            bank.wait_until_held()
            process = bank.process
            bank.stop()
            assert process.returncode == 0  # by itself: it was not killed
            assert bank.log.endswith("stopped\n")
            with pytest.raises(requests.ConnectionError):
                call.result()

    def test_help_names_every_setting(self) -> None:
        said = run_bank("--help").stdout
        settings = ("FAILURE_RATE", "MIN_LATENCY_MS", "MAX_LATENCY_MS", "AUTH_EXPIRY_HOURS", "BANK_PORT")
        assert all(name in said for name in (*settings, "BANK_HOST", "BANK_DB", "BANK_CONTROL", "statement"))
