"""Settings: every variable is documented, and production does not start with what is not safe."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext
from environs import Env

from dev.production import settings as production_settings
from ficpay import secrets
from tests.support.simulated_bank import PROJECT

KEYRING = "FICPAY_FINGERPRINT_KEYS"
SECRETS = ["DJANGO_SECRET_KEY", "FICPAY_BANK_KEY_SECRET", KEYRING]
LONG = "x1" * 30


def start(directory: Path, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """Read the settings in a process of its own, with production's environment changed so."""
    environment = {"PATH": "/usr/bin:/bin", **production_settings(str(directory)), **changes}
    return subprocess.run(
        [sys.executable, "-c", "import ficpay.settings as s; print(s.DEBUG, sorted(s.FINGERPRINT_KEYS))"],
        cwd=PROJECT,
        env={name: value for name, value in environment.items() if value is not None},
        capture_output=True,
        text=True,
        check=False,
    )


def value(name: str, secret: str) -> str:
    return f"a:{secret}" if name == KEYRING and secret else secret


def refusal(monkeypatch: pytest.MonkeyPatch, name: str, given: str | None) -> str:
    """What the reader of this variable says in production."""
    if given is None:
        monkeypatch.delenv(name, raising=False)
    else:
        monkeypatch.setenv(name, given)
    read = secrets.read_keyring if name == KEYRING else secrets.read
    with pytest.raises(ImproperlyConfigured) as refused:
        read(Env(), name, production=True)
    return str(refused.value)


class TestProduction:
    def test_it_starts_with_secrets_of_its_own(self, tmp_path: Path) -> None:
        done = start(tmp_path)
        assert (done.returncode, done.stdout.strip()) == (0, "False ['check']"), done.stderr

    def test_it_does_not_start_with_a_development_secret(self, tmp_path: Path) -> None:
        for name in SECRETS:
            done = start(tmp_path, **{name: value(name, f"development-only-{LONG}")})
            assert done.returncode != 0, name
            last = done.stderr.strip().splitlines()[-1]
            assert f"{name} is a development secret" in last
            assert LONG not in done.stderr, name

    def test_it_refuses_a_missing_short_or_development_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in SECRETS:
            for secret, words in (
                (None, "is not set"),
                ("", "is not set"),
                ("x" * 49, "too short"),
                (f"development-only-{LONG}", "development secret"),
            ):
                said = refusal(monkeypatch, name, None if secret is None else value(name, secret))
                assert name in said, secret
                assert words in said, (name, secret)
                assert not secret or secret not in said, name

    def test_a_keyring_is_a_list_of_pairs_each_of_them_safe(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for keys in (
            LONG,
            f":{LONG}",
            f"a:{LONG},a:{LONG}",
            f"a:{LONG},b:short",
            f"a:{LONG},b:development-only-{LONG}",
            ",",
        ):
            said = refusal(monkeypatch, KEYRING, keys)
            assert KEYRING in said, keys
            assert LONG not in said, keys

    def test_development_takes_its_own_secrets(self, tmp_path: Path) -> None:
        short = {name: value(name, "development-only-x") for name in SECRETS}
        done = start(tmp_path, DJANGO_DEBUG="true", **short)
        assert (done.returncode, done.stdout.strip()) == (0, "True ['a']"), done.stderr

    def test_debug_is_off_unless_asked_for(self, tmp_path: Path) -> None:
        assert start(tmp_path, DJANGO_DEBUG=None).stdout.startswith("False")

    def test_the_environment_wins_over_the_file_of_development(self, tmp_path: Path) -> None:
        (tmp_path / "development.env").write_text(f"FICPAY_FINGERPRINT_KEYS=file:{LONG}\n")
        assert "['file']" in start(tmp_path, FICPAY_FINGERPRINT_KEYS=None).stdout
        assert "['check']" in start(tmp_path).stdout


class TestDocumentation:
    @staticmethod
    def variables() -> set[str]:
        """Those that the settings read, directly or through `secrets`."""
        code = (PROJECT / "ficpay" / "settings.py").read_text()
        direct = re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', code)
        through = re.findall(r'secrets\.read\w*\(\s*env,\s*"([A-Z_]+)"', code)
        found = {*direct, *through}
        assert {"DJANGO_DEBUG", "DATABASE_URL", *SECRETS} <= found
        return found

    def test_each_has_a_line_in_the_example(self) -> None:
        lines = (PROJECT / ".env.example").read_text().splitlines()
        described = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
        assert self.variables() <= described

    def test_each_has_a_row_in_the_documents(self) -> None:
        page = (PROJECT / "docs" / "settings.md").read_text()
        rows = {
            name
            for line in page.splitlines()
            if line.startswith("|")
            for name in re.findall(r"`([A-Z_]+)`", line)
        }
        assert self.variables() - rows == set()

    def test_the_settings_alone_read_the_environment(self) -> None:
        for directory in ("ficpay", "payments"):
            for file in (PROJECT / directory).rglob("*.py"):
                code = file.read_text()
                if file.name not in ("settings.py", "asgi.py"):
                    assert not re.search(r"os\.environ|getenv", code), file


@pytest.mark.django_db
class TestDevelopment:
    def test_queries_are_not_listed_with_debug_unless_a_test_asks(self, settings: Any) -> None:
        settings.DEBUG = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        assert connection.queries == []
        with CaptureQueriesContext(connection) as listed, connection.cursor() as cursor:
            cursor.execute("SELECT 2")
        assert [query["sql"] for query in listed] == ["SELECT 2"]
