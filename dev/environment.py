"""The settings of FicPay on a development machine, kept in `$FICPAY_VAR/development.env`.

Secrets are made once and kept, so that payments and API keys stay usable after a restart. Addresses are
written each time, so that a changed BANK_PORT or DATABASE_URL takes effect. The gateway's settings read the
file themselves, so
`manage.py` also works by hand beside `make up`.
"""

import fcntl
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from dotenv import dotenv_values

from dev.postgres import APPLICATION, EmbeddedPostgres

PROJECT = Path(__file__).resolve().parent.parent
# Production refuses secrets with this prefix (ficpay/secrets.py).
SECRET_PREFIX = "development-only-"  # noqa: S105 (not a secret)
FILE = "development.env"


class SettingInvalid(Exception):
    """An environment variable is invalid. The message says which, and what to do."""


@dataclass(frozen=True)
class Environment:
    """The settings of `make up` and of the other make commands."""

    directory: Path
    port: int
    bank_port: int
    acquirer_port: int
    given_database_url: str
    given_owner_url: str
    given_bank_url: str
    given_acquirer_url: str

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def bank_url(self) -> str:
        return self.given_bank_url or f"http://localhost:{self.bank_port}"

    @property
    def acquirer_url(self) -> str:
        return self.given_acquirer_url or f"http://localhost:{self.acquirer_port}"

    @property
    def ports(self) -> dict[str, int]:
        """The ports that `make up` itself listens on, by their variables."""
        ports = {"FICPAY_PORT": self.port}
        if not self.given_bank_url:
            ports["BANK_PORT"] = self.bank_port
        if not self.given_acquirer_url:
            ports["ACQUIRER_PORT"] = self.acquirer_port
        return ports

    @property
    def file(self) -> Path:
        return self.directory / FILE

    @property
    def credentials(self) -> Path:
        """API keys and the admin's password, kept by `manage.py seed`."""
        return self.directory / "credentials.json"

    @property
    def logs(self) -> Path:
        return self.directory / "log"

    @property
    def statements(self) -> Path:
        """Where FicPay looks for banks' statements."""
        return self.directory / "statements"

    def postgres(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(self.directory / "postgres", log=self.logs / "postgres.log")

    def write(self) -> dict[str, str]:
        """Update the file and return its variables."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        (self.statements / "ficmart").mkdir(parents=True, exist_ok=True)
        with (self.directory / "development.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            variables = _fresh_secrets() | self._kept_secrets() | self._addresses()
            _write_private(self.file, variables)
        return variables

    def _addresses(self) -> dict[str, str]:
        return {
            "DJANGO_DEBUG": "true",
            "FICPAY_PORT": str(self.port),
            "DATABASE_URL": self.given_database_url or self.postgres().url(role=APPLICATION),
            "DATABASE_OWNER_URL": self._owner_url(),
            "BANK_URL": self.bank_url,
            "ACQUIRER_URL": self.acquirer_url,
            "FICPAY_STATEMENTS": str(self.statements),
            # There is no proxy between FicPay and the simulated bank.
            "BANK_CLOSES_WHEN_FINISHED": "false" if self.given_bank_url else "true",
        }

    def _owner_url(self) -> str:
        """The owner's URL. An external database may have none: then DATABASE_URL's role owns the tables."""
        return self.given_owner_url if self.given_database_url else self.postgres().url()

    def _kept_secrets(self) -> dict[str, str]:
        kept = dotenv_values(self.file, interpolate=False)
        return {name: value for name, value in kept.items() if value and name in _fresh_secrets()}


def read(environ: Mapping[str, str]) -> Environment:
    """Read the process's environment. An empty variable counts as unset. Raises SettingInvalid."""
    given = {name: value for name, value in environ.items() if value}
    environment = Environment(
        directory=_directory(given),
        port=_port(given, "FICPAY_PORT", default=8000),
        bank_port=_port(given, "BANK_PORT", default=8787),
        acquirer_port=_port(given, "ACQUIRER_PORT", default=8080),
        given_database_url=given.get("DATABASE_URL", ""),
        given_owner_url=given.get("DATABASE_OWNER_URL", ""),
        given_bank_url=given.get("BANK_URL", ""),
        given_acquirer_url=given.get("ACQUIRER_URL", ""),
    )
    for (name, port), (other_name, other_port) in combinations(environment.ports.items(), 2):
        if port == other_port:
            raise SettingInvalid(f"{name} and {other_name} are both {port}. They must differ.")
    return environment


def running(environ: Mapping[str, str]) -> Environment:
    """The environment of the last started instance, so that its ports need not be given again."""
    given = {name: value for name, value in environ.items() if value}
    recorded = dotenv_values(_directory(given) / FILE, interpolate=False)
    addresses = {name: recorded.get(name) or "" for name in ("FICPAY_PORT", "BANK_URL", "ACQUIRER_URL")}
    return read(addresses | given)


def for_programs(variables: Mapping[str, str], environment: Environment) -> dict[str, str]:
    """The variables for all programs that we start. Those of the shell override the file's, unless empty."""
    given = {name: value for name, value in os.environ.items() if value}
    return {**variables, **given, "FICPAY_VAR": str(environment.directory), "PYTHONUNBUFFERED": "1"}


def _directory(given: Mapping[str, str]) -> Path:
    return Path(given.get("FICPAY_VAR", PROJECT / "var")).resolve()


def _port(given: Mapping[str, str], name: str, *, default: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise SettingInvalid(f"{name} must be a port from 1 to 65535; it is {text!r}.")
    return int(text)


def _fresh_secrets() -> dict[str, str]:
    return {
        "DJANGO_SECRET_KEY": _secret(),
        "FICPAY_BANK_KEY_SECRET": _secret(),
        "FICPAY_FINGERPRINT_KEYS": f"dev1:{_secret()}",
    }


def _secret() -> str:
    return SECRET_PREFIX + secrets.token_hex(30)


def _write_private(file: Path, variables: Mapping[str, str]) -> None:
    """Replace the file atomically: readers see either the old one or the new one."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write("# Written by `make up`. For this machine only, not for production.\n")
        stream.writelines(f"{name}={_quoted(value)}\n" for name, value in variables.items())
    new.replace(file)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
