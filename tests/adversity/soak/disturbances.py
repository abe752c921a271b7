"""What is done to FicPay, its database and its banks while the shoppers shop.

Each disturbance is a thread of its own that strikes at random moments, so that they meet.
"""

import http.client
import json
import random
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from urllib.parse import urlsplit

import psycopg

from tests.adversity.soak.processes import Behind
from tests.adversity.soak.tally import Tally
from tests.settings import POSTGRES
from tests.support.api_client import order
from tests.support.gateway_server import GatewayServer
from tests.support.simulated_acquirer import SimulatedAcquirer
from tests.support.simulated_bank import Endpoint, SimulatedBank
from tests.support.stopped_database import stopped

KILLS_EVERY = (3.0, 7.0)  # seconds between two of a kind
STOPS_EVERY = (10.0, 20.0)
LOCKS_EVERY = (1.0, 4.0)
SILENCE_EVERY = (2.0, 6.0)
HEADERS_EVERY = (0.5, 2.0)
A_STOP_LASTS = (2.0, 8.0)
A_LOCK_LASTS = (5.0, 25.0)
LOCKERS = 3
STARTS = 3  # a busy machine may need more than the bound of one start
ORDERS_SENT_TWICE = "repeated-header-"
BY_THE_BANK = "calls the bank acts on in silence"
BY_THE_ACQUIRER = "payments the acquirer decides in silence"

_VERBS: Sequence[Endpoint] = ("authorizations", "captures", "voids", "refunds")


class Disturbances:
    """All of them at once, until stop(): `with Disturbances(...): ...`."""

    def __init__(
        self,
        server: GatewayServer,
        behind: Sequence[Behind],
        bank: SimulatedBank,
        acquirer: SimulatedAcquirer,
        key: str,
        tally: Tally,
    ) -> None:
        self._server, self._behind, self._bank, self._acquirer = server, behind, bank, acquirer
        self._key, self._tally = key, tally
        self._over = threading.Event()
        lockers = [(self._lock_rows, LOCKS_EVERY)] * LOCKERS
        kinds: list[tuple[Callable[[], None], tuple[float, float]]] = [
            (self._kill, KILLS_EVERY),
            (self._stop_database, STOPS_EVERY),
            (self._let_bank_act_in_silence, SILENCE_EVERY),
            (self._let_acquirer_act_in_silence, SILENCE_EVERY),
            (self._repeat_headers, HEADERS_EVERY),
            *lockers,
        ]
        self._threads = [threading.Thread(target=self._repeat, args=kind) for kind in kinds]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End all of them: nothing is locked, stopped or scripted any more."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        for bank, silence in ((self._bank, BY_THE_BANK), (self._acquirer, BY_THE_ACQUIRER)):
            left = sum(bank.script_left().values())
            bank.clear_script()
            self._tally.injected[silence] -= left

    def _repeat(self, disturb: Callable[[], None], every: tuple[float, float]) -> None:
        try:
            while not self._over.wait(random.uniform(*every)):
                disturb()
        except Exception as error:  # noqa: BLE001 - a thread's end must not go unnoticed
            self._tally.accuse(f"the soak itself failed: {disturb.__name__} ended by {error!r}")

    def _kill(self) -> None:
        """SIGKILL to a whole process tree, which is started again at once."""
        victim = random.choice([self._server, self._server, *self._behind])
        victim.kill()
        for start in range(STARTS):
            try:
                victim.restart()
                break
            except AssertionError:
                if start == STARTS - 1:
                    raise
        self._tally.inject(
            "web servers killed" if victim is self._server else "workers and recoveries killed"
        )

    def _stop_database(self) -> None:
        with stopped():
            time.sleep(random.uniform(*A_STOP_LASTS))
        self._tally.inject("stops of PostgreSQL")

    def _let_bank_act_in_silence(self) -> None:
        """A burst of calls that are executed, with no stored reply, most of them with none at all."""
        endpoint = random.choices(_VERBS, [4, 2, 1, 1])[0]
        times = random.randint(1, 5)
        if random.random() < 0.7:
            self._bank.script(endpoint, "drop_after", stored=False, times=times)
        else:
            self._bank.script(endpoint, "lookup_fails", times=times)
        self._tally.inject(BY_THE_BANK, times)

    def _let_acquirer_act_in_silence(self) -> None:
        """A payment is decided, and its answer is lost or cannot be read."""
        self._acquirer.script("payments", random.choice(["drop_after", "garbage"]))
        self._tally.inject(BY_THE_ACQUIRER)

    def _lock_rows(self) -> None:
        """An idle transaction holds an unfinished payment's row, its operation's, or both."""
        which = random.choice([("payment",), ("operation",), ("payment", "operation")])
        with psycopg.connect(POSTGRES.url("ficpay")) as session, ExitStack() as end:
            end.callback(session.rollback)
            found = session.execute(
                "SELECT id, payment_id FROM payments_operation WHERE state = 'OPEN'"
                " AND payment_id IS NOT NULL ORDER BY random() LIMIT 1"
            ).fetchone()
            if found is None:
                return
            for row in which:
                # In FicPay's own order, and passing by what it holds: a deadlock would end our lock.
                locked = session.execute(
                    f"SELECT 1 FROM payments_{row} WHERE id = %s FOR UPDATE SKIP LOCKED",
                    [found[0] if row == "operation" else found[1]],
                ).fetchone()
                if locked is not None:
                    self._tally.inject(f"rows locked ({row})")
            time.sleep(random.uniform(*A_LOCK_LASTS))

    def _repeat_headers(self) -> None:
        """An authorize with two Idempotency-Key headers, which `requests` could not send: 400, no payment."""
        first = uuid.uuid4().hex
        keys = random.choice([(first, uuid.uuid4().hex), (first, first)])
        body = json.dumps(order(order_id=f"{ORDERS_SENT_TWICE}{first}")).encode()
        connection = http.client.HTTPConnection(urlsplit(self._server.url).netloc, timeout=60)
        try:
            connection.putrequest("POST", "/api/v1/payments")
            connection.putheader("Authorization", f"Bearer {self._key}")
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(len(body)))
            for key in keys:
                connection.putheader("Idempotency-Key", key)
            connection.endheaders(body)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return  # cut off by a kill
        finally:
            connection.close()
        self._tally.inject("repeated headers")
        if status not in (400, 503):
            self._tally.accuse(f"two Idempotency-Key headers were answered {status}")
