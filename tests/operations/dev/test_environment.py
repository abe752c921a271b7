"""What `make up` writes down for the programs beside it."""

import stat
from pathlib import Path

import pytest
from environs import Env

from dev import environment as environments
from dev.environment import SettingInvalid
from ficpay import secrets


def write(directory: Path, **environ: str) -> dict[str, str]:
    return environments.read({"FICPAY_VAR": str(directory), **environ}).write()


class TestDevelopmentEnvironment:
    def test_is_for_its_owner_alone(self, tmp_path: Path) -> None:
        write(tmp_path / "var")
        assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "var" / "development.env").stat().st_mode) == 0o600

    def test_keeps_its_secrets(self, tmp_path: Path) -> None:
        first, second = write(tmp_path), write(tmp_path)
        assert first == second

    def test_makes_secrets_that_production_refuses(self, tmp_path: Path) -> None:
        variables = write(tmp_path)
        key_id, _, fingerprint_key = variables["FICPAY_FINGERPRINT_KEYS"].partition(":")
        made = [variables["DJANGO_SECRET_KEY"], variables["FICPAY_BANK_KEY_SECRET"], fingerprint_key]
        assert key_id == "dev1"
        assert len(set(made)) == 3
        assert all(secret.startswith(secrets.DEVELOPMENT_PREFIX) for secret in made)
        assert all(len(secret) == len(secrets.DEVELOPMENT_PREFIX) + 60 for secret in made)

    def test_replaces_a_secret_that_is_missing_and_keeps_the_others(self, tmp_path: Path) -> None:
        first = write(tmp_path)
        file = tmp_path / "development.env"
        file.write_text("\n".join(line for line in file.read_text().split("\n") if "BANK_KEY" not in line))
        second = write(tmp_path)
        assert second["FICPAY_BANK_KEY_SECRET"] not in {"", first["FICPAY_BANK_KEY_SECRET"]}
        assert second["DJANGO_SECRET_KEY"] == first["DJANGO_SECRET_KEY"]

    def test_derives_addresses_anew_each_time(self, short_path: Path) -> None:
        assert write(short_path)["BANK_URL"] == "http://localhost:8787"
        changed = write(short_path, BANK_PORT="8788", FICPAY_PORT="8001")
        assert changed["BANK_URL"] == "http://localhost:8788"
        assert changed["FICPAY_PORT"] == "8001"
        assert write(short_path)["ACQUIRER_URL"] == "http://localhost:8080"
        assert write(short_path, ACQUIRER_PORT="8081")["ACQUIRER_URL"] == "http://localhost:8081"
        elsewhere = write(short_path, ACQUIRER_URL="http://acquirer.example")
        assert elsewhere["ACQUIRER_URL"] == "http://acquirer.example"
        given = write(short_path, DATABASE_URL="postgres://elsewhere/ficpay", BANK_URL="http://bank.example")
        assert given["DATABASE_URL"] == "postgres://elsewhere/ficpay"
        assert given["BANK_URL"] == "http://bank.example"
        assert write(short_path)["DATABASE_URL"].endswith("%2Fpostgres%2Fsocket/ficpay")

    def test_runs_the_application_as_a_role_that_is_not_the_owner(self, short_path: Path) -> None:
        made = write(short_path)
        assert made["DATABASE_URL"].startswith("postgres://ficpay_app@")
        assert made["DATABASE_OWNER_URL"].startswith("postgres://ficpay@")
        # A database that is given may know one role alone.
        elsewhere = {"DATABASE_URL": "postgres://app@elsewhere/ficpay"}
        assert write(short_path, **elsewhere)["DATABASE_OWNER_URL"] == ""
        both = elsewhere | {"DATABASE_OWNER_URL": "postgres://owner@elsewhere/ficpay"}
        assert write(short_path, **both)["DATABASE_OWNER_URL"] == "postgres://owner@elsewhere/ficpay"

    def test_takes_an_empty_variable_for_none(self, tmp_path: Path) -> None:
        names = ("BANK_PORT", "BANK_URL", "ACQUIRER_PORT", "ACQUIRER_URL", "FICPAY_PORT", "DATABASE_URL")
        assert write(tmp_path, **dict.fromkeys(names, "")) == write(tmp_path)

    def test_is_read_by_the_settings_as_it_was_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        address = 'postgres://user:it\'s%20a#\\"trap"@db.example:5433/name?sslmode=require'
        variables = write(tmp_path, DATABASE_URL=address)
        for name in variables:
            monkeypatch.delenv(name, raising=False)
        env = Env()
        env.read_env(str(tmp_path / "development.env"), recurse=False, override=False)
        assert {name: env.str(name) for name in variables} == variables

    def test_knows_the_port_of_the_instance_started_last(self, tmp_path: Path) -> None:
        write(tmp_path, FICPAY_PORT="8001")
        assert environments.running({"FICPAY_VAR": str(tmp_path)}).port == 8001
        assert environments.running({"FICPAY_VAR": str(tmp_path), "FICPAY_PORT": "8002"}).port == 8002

    def test_knows_an_instance_on_the_port_that_a_bank_has_by_default(self, tmp_path: Path) -> None:
        """`make demo` beside it refused: it took the bank's port for the default, and that for taken."""
        for port in ("8787", "8080"):
            write(tmp_path, FICPAY_PORT=port, BANK_PORT="8788", ACQUIRER_PORT="8081")
            assert environments.running({"FICPAY_VAR": str(tmp_path)}).port == int(port)
            again = {"FICPAY_VAR": str(tmp_path), "FICPAY_PORT": port}
            assert environments.running(again).port == int(port)

    def test_refuses_a_port_that_is_none(self) -> None:
        for port in ("http", "0", "65536", "-1", "80 80", "٨٠٠٠"):
            with pytest.raises(SettingInvalid, match="FICPAY_PORT must be a port"):
                environments.read({"FICPAY_PORT": port})

    def test_refuses_one_port_for_two(self) -> None:
        with pytest.raises(SettingInvalid, match="must differ"):
            environments.read({"FICPAY_PORT": "8787"})
        environments.read({"FICPAY_PORT": "8787", "BANK_URL": "http://bank.example"})
        with pytest.raises(SettingInvalid, match="BANK_PORT and ACQUIRER_PORT are both 8080"):
            environments.read({"BANK_PORT": "8080"})
        environments.read({"BANK_PORT": "8080", "ACQUIRER_URL": "http://acquirer.example"})


class TestForPrograms:
    def test_lets_the_shell_win_unless_it_says_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DJANGO_DEBUG", "false")
        monkeypatch.setenv("BANK_URL", "")
        environment = environments.read({"FICPAY_VAR": str(tmp_path)})
        variables = environments.for_programs(environment.write(), environment)
        assert variables["DJANGO_DEBUG"] == "false"
        assert variables["BANK_URL"] == "http://localhost:8787"
        assert variables["FICPAY_VAR"] == str(tmp_path)
