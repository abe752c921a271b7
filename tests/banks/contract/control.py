"""The control plane of a bank that has one, as the contract's tests use it: over HTTP like everything."""

import time
from collections.abc import Callable
from typing import Any

from tests.banks.contract.client import RICH, Bank
from tests.support.hang_ups import hang_up_on

FAIR = {"failure_rate": 0.0, "min_latency_ms": 0, "max_latency_ms": 0}


class Control:
    """Orders to the bank under test. Whatever was changed is put back by restore()."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._moved_seconds = 0.0
        self._weather = self.state()["weather"]

    @staticmethod
    def is_there(bank: Bank) -> bool:
        """A bank without a control plane answers 404 here, or weather."""
        response = bank.patiently("GET", "/control/state")
        return response.status_code == 200 and "weather" in response.json()

    def state(self) -> dict[str, Any]:
        return self._call("GET", "state")

    def restore(self) -> None:
        """Put everything back as it was found, but the ledger."""
        self._call("POST", "release")
        self._call("DELETE", "script")
        self.database_down(False)
        self.move_clock(seconds=-self._moved_seconds)
        self.weather(**self._weather)

    def script(self, endpoint: str, step: str, **options: Any) -> None:
        self._call("POST", "script", {"endpoint": endpoint, "step": step, "options": options})

    def hold(self, at: str, *endpoints: str) -> None:
        """Hold requests to these endpoints before execution, or between the commit and the stored reply."""
        self._call("POST", "hold", {"at": at, "endpoints": endpoints})

    def release(self) -> None:
        self._call("POST", "release")

    def wait_until_held(self, count: int) -> None:
        self._wait_for(lambda: self.state()["waiting"] == count, f"{count} requests to be held")

    def wait_until_seen(self, key: str) -> None:
        """Wait until a request with this key has arrived."""
        self._wait_for(lambda: bool(self._endings(key)), f"a request with {key}")

    def time_to_notice(self, key: str) -> None:
        """Give the bank a second to notice that the caller of this key is gone."""
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline and not self._is_over(key):
            time.sleep(0.01)

    def wait_until_over(self, key: str) -> None:
        """Wait until the bank has ended its work on this key."""
        self._wait_for(lambda: self._is_over(key), f"the bank to end its work on {key}")

    def database_down(self, down: bool) -> None:
        self._call("POST", "database", {"down": down})

    def weather(self, **weather: float) -> None:
        self._call("POST", "weather", {**FAIR, **weather})

    def move_clock(self, *, seconds: float) -> None:
        self._moved_seconds += seconds
        self._call("POST", "clock", {"seconds": seconds})

    def entries(self, key: str) -> list[dict[str, Any]]:
        """What is in the ledger from instructions that came with this key, oldest first."""
        return [entry for entry in self.ledger() if entry["idempotency_key"] == key]

    def ledger(self) -> list[dict[str, Any]]:
        return list(self._call("GET", "ledger")["entries"])

    def balances(self) -> dict[str, dict[str, int]]:
        return dict(self._call("GET", "balances"))

    def _is_over(self, key: str) -> bool:
        return all(self._endings(key))

    def _endings(self, key: str) -> list[str | None]:
        """How each request with this key ended, None for those still in flight."""
        seen = self._call("GET", "requests")["requests"]
        return [one["ended"] for one in seen if one["idempotency_key"] == key]

    def _call(self, method: str, what: str, order: dict[str, Any] | None = None) -> dict[str, Any]:
        response = self._bank.send(method, f"/control/{what}", json=order)
        assert response.status_code == 200, f"{what} {order}: {response.text}"
        return dict(response.json())

    def _wait_for(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.01)


def hang_up_on_authorization(bank: Bank, key: str, *, when: Callable[[], None]) -> None:
    """Authorize a cent, and close the connection as soon as `when` returns, without reading an answer."""
    path, headers = "/api/v1/authorizations", {"Idempotency-Key": key}
    hang_up_on(bank.url, path, RICH.authorization(), headers, when=when)
