"""`make soak`: shoppers, a bank in bad weather, and processes that are killed, for SOAK_SECONDS (120).

Then the weather clears, every shopper asks until each of its instructions has a final answer, and the books
are closed: the audit, and the bank's ledger beside the receipts. Ends with 1 if money was lost or doubled,
or a rule of the books is broken. All on a database and a bank of its own, with the real bounds of time: what
is left in doubt after a minute and a half of peace is printed as such.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import django
import requests

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()

from django.core.management import call_command  # noqa: E402

from payments.domain.states import Mode  # noqa: E402
from payments.models import Operation, Payment  # noqa: E402
from payments.usecases.merchants import create_merchant, issue_api_key  # noqa: E402
from reconciliation.services.audit import violations  # noqa: E402
from tests.api_client import CARDS, order  # noqa: E402
from tests.application_role import grant_privileges  # noqa: E402
from tests.bank_books import disagreements, stray_holds  # noqa: E402
from tests.gateway_server import PROJECT, GatewayServer, environment_of_a_process  # noqa: E402
from tests.settings import POSTGRES  # noqa: E402
from tests.simulated_bank import SimulatedBank  # noqa: E402

SHOPPERS = 24
KILL_EVERY = (3.0, 7.0)  # seconds
PEACE = 90.0  # seconds in which the shoppers ask for their last answers: two leases
FINAL = (200, 201, 402)


@dataclass
class Tally:
    """What happened, counted by all threads."""

    counts: Counter[str] = field(default_factory=Counter)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)  # payment id -> the last final receipt
    unfinished: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1


class Shopper(threading.Thread):
    """Instructs one payment after the other, and asks with the same key until the answer is final."""

    def __init__(self, server: GatewayServer, key: str, tally: Tally, end: float) -> None:
        super().__init__()
        self._server, self._tally, self._end = server, tally, end
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers["Authorization"] = f"Bearer {key}"

    def run(self) -> None:
        while time.monotonic() < self._end:
            card = random.choices(["visa", "visa-500", "no-funds"], [12, 1, 1])[0]
            payment = self._instruct("/payments", order(card=CARDS[card], amount=random.randint(1, 300)))
            if payment is None or payment["state"] != "AUTHORIZED":
                continue
            if random.random() < 0.3:
                self._instruct(f"/payments/{payment['id']}/void")
            elif self._instruct(f"/payments/{payment['id']}/capture") and random.random() < 0.5:
                self._instruct(f"/payments/{payment['id']}/refund")

    def _instruct(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """The receipt once it is final, or None where peace has ended before."""
        key = uuid.uuid4().hex
        while time.monotonic() < self._end + PEACE:
            # Some shoppers lose their patience, hang up, and ask again.
            patience = 30 if random.random() < 0.9 else random.uniform(0.05, 1)
            try:
                answer = self._http.post(
                    f"{self._server.url}/api/v1{path}",
                    json=body, headers={"Idempotency-Key": key}, timeout=patience,
                )  # fmt: skip
            except requests.RequestException as error:
                hung_up = isinstance(error, requests.Timeout)
                self._tally.count("callers who hung up" if hung_up else "calls cut off by a kill")
                time.sleep(random.uniform(0.1, 0.5))
                continue
            self._tally.count(f"answers {answer.status_code}")
            if answer.status_code in FINAL:
                receipt: dict[str, Any] = answer.json()
                receipt = receipt.get("payment", receipt)
                with self._tally.lock:
                    self._tally.told[receipt["id"]] = receipt
                return receipt
            if answer.status_code not in (202, 409, 503):
                raise AssertionError(f"{path} was answered {answer.status_code} {answer.text}")
            time.sleep(min(2.0, float(answer.headers.get("Retry-After", 1))))
        with self._tally.lock:
            self._tally.unfinished += 1
        return None


class Behind:
    """A process behind the web server: `manage.py worker` or recovery."""

    def __init__(self, bank: SimulatedBank, log: Path, *command: str) -> None:
        self._command = [sys.executable, "manage.py", *command]
        self._environment = environment_of_a_process(bank.url) | {"FICPAY_DB_POOL": "0"}
        self._log = log

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=PROJECT, env=self._environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        self.start()


def main() -> int:
    seconds = float(os.environ.get("SOAK_SECONDS") or 120)
    tally = Tally()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        stack.enter_context(POSTGRES)
        POSTGRES.create_database("ficpay")
        call_command("migrate", verbosity=0)
        grant_privileges()
        key = issue_api_key(slug=create_merchant(slug="soak", name="Soak").slug, mode=Mode.LIVE).plain
        weather = {"failure_rate": 0.05, "min_latency_ms": 100, "max_latency_ms": 2000}
        bank = stack.enter_context(SimulatedBank(**weather))  # type: ignore[arg-type]
        server = stack.enter_context(GatewayServer(bank.url, home, workers=2))
        behind = [
            Behind(bank, home / "worker.log", "worker"),
            Behind(bank, home / "recovery.log", "reconcile", "pending", "--watch"),
        ]
        for process in behind:
            process.start()
            stack.callback(process.kill)
        print(
            f"{SHOPPERS} shoppers for {seconds:.0f} s; kills every {KILL_EVERY[0]:.0f}-{KILL_EVERY[1]:.0f} s"
        )
        _load(server, behind, key, tally, seconds, bank)
        return _close_the_books(bank, tally)


def _load(
    server: GatewayServer, behind: list[Behind], key: str, tally: Tally, seconds: float, bank: SimulatedBank
) -> None:
    end = time.monotonic() + seconds
    shoppers = [Shopper(server, key, tally, end) for _ in range(SHOPPERS)]
    for shopper in shoppers:
        shopper.start()
    while time.monotonic() < end:
        time.sleep(min(random.uniform(*KILL_EVERY), max(0.0, end - time.monotonic())))
        victim = random.choice([server, server, *behind])
        victim.kill()
        victim.restart()
        tally.count("web servers killed" if victim is server else "workers and recoveries killed")
    print("The weather clears; the shoppers ask for their last answers.")
    bank.weather(failure_rate=0, max_latency_ms=100)
    for shopper in shoppers:
        shopper.join()


def _close_the_books(bank: SimulatedBank, tally: Tally) -> int:
    bank.wait_until_idle(seconds=40)
    tally.counts["bank answers 500"] = sum(seen.status == 500 for seen in bank.requests())
    held = sum(entry.type == "AUTH_HOLD" for entry in bank.ledger())
    strays = stray_holds(bank)
    wrong = disagreements(bank)
    lost = [f"{payment_id}: {problem}" for payment_id, problem in _untrue(tally.told)]
    broken = violations()
    for line in (*lost, *wrong, *(f"{one.rule}: {one.subject}: {one.detail}" for one in broken)):
        print(f"  {line}")
    said = {what: count for what, count in tally.counts.items() if what.startswith("answers")}
    print(
        "Faults injected:", _listed({what: count for what, count in tally.counts.items() if what not in said})
    )
    print("Shoppers got:", _listed(said), f"and {tally.unfinished} no final answer")
    states = Counter(Payment.objects.values_list("state", flat=True))
    print("Payments:", _listed(states))
    unfinished = Operation.objects.filter(state__in=["OPEN", "NEEDS_REVIEW"])
    still = Counter(unfinished.values_list("state", flat=True))
    print(f"Done: {sum(states.values())} payments, {held} holds at the bank")
    print(f"Lost: {len(lost)}")
    print(f"Doubled: {len(wrong)} unnoticed, {len(strays)} second holds marked as awaiting the statement")
    print(f"Still in doubt: {still['OPEN']} open, {still['NEEDS_REVIEW']} under review")
    print(f"Audit: {len(broken)} violations")
    return 1 if lost or wrong or broken else 0


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))


def _untrue(told: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """What a client was told for certain and is not so any more: a state that was lost."""
    payments = {payment.public_id: payment for payment in Payment.objects.all()}
    return [
        (payment_id, f"told {receipt['state']}, is {getattr(payments.get(payment_id), 'state', 'missing')}")
        for payment_id, receipt in told.items()
        if payment_id not in payments or payments[payment_id].state != receipt["state"]
    ]


if __name__ == "__main__":
    sys.exit(main())
