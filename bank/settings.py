"""The settings of the simulated banks: the real bank's environment variables, and a few of our own."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


class SettingInvalid(Exception):
    """An environment variable has an invalid value. The message says which and why."""


class CannotListen(Exception):
    """The bank cannot listen on its address. The message says why."""


@dataclass(frozen=True)
class ServerSettings:
    """The settings that every simulated bank reads from its environment at start.

    `port_variable` names the variable that changes the port.
    """

    failure_rate: float
    min_latency_ms: int
    max_latency_ms: int
    host: str
    port: int
    port_variable: str
    control: bool


@dataclass(frozen=True)
class Settings(ServerSettings):
    """The bank's settings."""

    auth_expiry_hours: int
    database: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read and check the settings. Raises SettingInvalid. An empty variable counts as unset.

        The real bank reads PORT. BANK_PORT is for environments where PORT is another server's.
        """
        given = {name: value for name, value in environ.items() if value}
        server = _server(
            given, prefix="BANK", port_name="PORT" if "PORT" in given else "BANK_PORT", port=8787
        )
        return cls(
            **asdict(server),
            auth_expiry_hours=_whole_number(given, "AUTH_EXPIRY_HOURS", default=168),
            database=database_path(given),
        )


def of_acquirer(environ: Mapping[str, str]) -> ServerSettings:
    """The acquirer's settings. Raises SettingInvalid. An empty variable counts as unset.

    It has the same weather variables as the bank, and ignores PORT.
    """
    given = {name: value for name, value in environ.items() if value}
    return _server(given, prefix="ACQUIRER", port_name="ACQUIRER_PORT", port=8080)


def _server(given: Mapping[str, str], *, prefix: str, port_name: str, port: int) -> ServerSettings:
    minimum = _whole_number(given, "MIN_LATENCY_MS", default=100)
    maximum = _whole_number(given, "MAX_LATENCY_MS", default=2000)
    if minimum > maximum:
        raise SettingInvalid(f"MIN_LATENCY_MS ({minimum}) is greater than MAX_LATENCY_MS ({maximum}).")
    return ServerSettings(
        failure_rate=_rate(given, "FAILURE_RATE", default=0.05),
        min_latency_ms=minimum,
        max_latency_ms=maximum,
        host=given.get(f"{prefix}_HOST", "127.0.0.1"),
        port=_port(given, port_name, default=port),
        port_variable=f"{prefix}_PORT",
        control=_switch(given, f"{prefix}_CONTROL"),
    )


def database_path(environ: Mapping[str, str]) -> Path:
    """The ledger's path. The statement command needs no other setting."""
    if environ.get("BANK_DB"):
        return Path(environ["BANK_DB"])
    return Path(environ.get("FICPAY_VAR") or "var") / "bank" / "ledger.sqlite3"


def _whole_number(given: Mapping[str, str], name: str, *, default: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise SettingInvalid(f"{name} must be a whole number, 0 or more; it is {text!r}.")
    return int(text)


def _rate(given: Mapping[str, str], name: str, *, default: float) -> float:
    text = given.get(name, str(default))
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0.0 <= rate <= 1.0:
        raise SettingInvalid(f"{name} must be a number from 0 to 1; it is {text!r}.")
    return rate


def _port(given: Mapping[str, str], name: str, *, default: int) -> int:
    port = _whole_number(given, name, default=default)
    if not 1 <= port <= 65535:
        raise SettingInvalid(f"{name} must be a port from 1 to 65535; it is {port}.")
    return port


def _switch(given: Mapping[str, str], name: str) -> bool:
    text = given.get(name, "0")
    if text not in {"0", "1"}:
        raise SettingInvalid(f"{name} must be 0 or 1; it is {text!r}.")
    return text == "1"
