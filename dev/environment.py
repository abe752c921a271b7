"""What a development machine's FicPay runs with, and where it lies: `$FICPAY_VAR/development.env`.

Secrets are made once and kept, or receipts and keys of the last run would be worthless in the next.
Addresses are derived anew each time, so that another BANK_PORT or DATABASE_URL is heeded. The gateway's
settings read the file themselves, which is why `manage.py` works by hand beside `make up`.
"""

import fcntl
import os
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.postgres import EmbeddedPostgres

PROJECT = Path(__file__).resolve().parent.parent
# Production refuses secrets that begin like this (ficpay/secrets.py).
SECRET_PREFIX = "development-only-"  # noqa: S105 (known to everybody)
SECRET_CHARACTERS = 60


class SettingInvalid(Exception):
    """An environment variable makes no sense. The message says which, and what to do."""


@dataclass(frozen=True)
class Environment:
    """The settings of `make up` and of the commands beside it."""

    directory: Path
    port: int
    bank_port: int
    given_database_url: str
    given_bank_url: str

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def bank_url(self) -> str:
        return self.given_bank_url or f"http://localhost:{self.bank_port}"

    @property
    def file(self) -> Path:
        return self.directory / "development.env"

    @property
    def credentials(self) -> Path:
        """API keys and the admin's password, kept by `manage.py seed`."""
        return self.directory / "credentials.json"

    @property
    def logs(self) -> Path:
        return self.directory / "log"

    def postgres(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(self.directory / "postgres", log=self.logs / "postgres.log")

    def write(self) -> dict[str, str]:
        """Bring the file up to date. Returns its variables."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        with (self.directory / "development.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            variables = _fresh_secrets() | self._kept_secrets() | self._addresses()
            _write_private(self.file, variables)
        return variables

    def _addresses(self) -> dict[str, str]:
        return {
            "DJANGO_DEBUG": "true",
            "FICPAY_PORT": str(self.port),
            "DATABASE_URL": self.given_database_url or self.postgres().url(),
            "BANK_URL": self.bank_url,
        }

    def _kept_secrets(self) -> dict[str, str]:
        kept = _read(self.file)
        return {name: kept[name] for name in _fresh_secrets() if kept.get(name)}


def read(environ: Mapping[str, str]) -> Environment:
    """From the process's environment; an empty variable counts as unset. Raises SettingInvalid."""
    given = {name: value for name, value in environ.items() if value}
    environment = Environment(
        directory=Path(given.get("FICPAY_VAR", PROJECT / "var")).resolve(),
        port=_port(given, "FICPAY_PORT", default=8000),
        bank_port=_port(given, "BANK_PORT", default=8787),
        given_database_url=given.get("DATABASE_URL", ""),
        given_bank_url=given.get("BANK_URL", ""),
    )
    if environment.port == environment.bank_port and not environment.given_bank_url:
        raise SettingInvalid(f"FICPAY_PORT and BANK_PORT are both {environment.port}: they must differ.")
    return environment


def running(environ: Mapping[str, str]) -> Environment:
    """The environment of the instance started last, so that its port need not be given again."""
    recorded = _read(read(environ).file)
    return read({"FICPAY_PORT": recorded.get("FICPAY_PORT", "")} | {k: v for k, v in environ.items() if v})


def for_programs(variables: Mapping[str, str], environment: Environment) -> dict[str, str]:
    """What everything we start runs with: the shell's word wins over the file's, an empty one is none."""
    given = {name: value for name, value in os.environ.items() if value}
    return {**variables, **given, "FICPAY_VAR": str(environment.directory), "PYTHONUNBUFFERED": "1"}


def _port(given: Mapping[str, str], name: str, *, default: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise SettingInvalid(f"{name} must be a port, 1 to 65535; it is {text!r}.")
    return int(text)


def _fresh_secrets() -> dict[str, str]:
    return {
        "DJANGO_SECRET_KEY": _secret(),
        "FICPAY_BANK_KEY_SECRET": _secret(),
        "FICPAY_FINGERPRINT_KEYS": f"dev1:{_secret()}",
    }


def _secret() -> str:
    alphabet = string.ascii_letters + string.digits
    return SECRET_PREFIX + "".join(secrets.choice(alphabet) for _ in range(SECRET_CHARACTERS))


def _read(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name: _unquoted(value) for name, value in pairs}


def _write_private(file: Path, variables: Mapping[str, str]) -> None:
    """Replace the file whole: who reads it meanwhile sees the old one or the new one."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write("# Written by `make up`: for this machine only, not for production.\n")
        stream.writelines(f"{name}={_quoted(value)}\n" for name, value in variables.items())
    new.replace(file)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _unquoted(value: str) -> str:
    return value[1:-1].replace("\\'", "'").replace("\\\\", "\\") if value.startswith("'") else value
