"""One instruction during which the gateway dies, and what becomes of it."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.db import connection

from payments.domain.states import UNFINISHED_OPERATIONS
from payments.models import Attempt, Discrepancy, Event, IdempotencyKey, Operation, Payment
from payments.usecases.recovery import recover_due
from reconciliation.services.audit import violations
from tests.adversity.crash.order_service import OrderService
from tests.adversity.crash.points import AT_THE_BANK, LAST_STATEMENTS, Instruction, Remains, announcement
from tests.support.api_client import ApiResponse, order
from tests.support.bank_books import disagreements
from tests.support.gateway_server import GatewayServer
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

WITHIN = timedelta(seconds=5)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
KEY = "the-key"
Until = Callable[[Callable[[], Any]], Any]


class Case:
    """An instruction, and the order service, the bank and the gateway that have to do with it."""

    def __init__(
        self,
        instruction: Instruction,
        order_service: OrderService,
        bank: SimulatedBank,
        gateway: GatewayServer,
        until: Until,
    ) -> None:
        self.instruction = instruction
        self.order_service = order_service
        self.bank = bank
        self.gateway = gateway
        self.until = until
        self.order = order()
        self.path = "/payments"
        self.entries_before = 0
        if instruction.kind != "authorize":
            payment = self._so_far("/payments", self.order)
            self.path = f"/payments/{payment['id']}/{instruction.kind}"
            if instruction.kind == "refund":
                self._so_far(f"/payments/{payment['id']}/capture")
            self.entries_before = len(bank.ledger())
        self.body = self.order if instruction.kind == "authorize" else None

    def ask(self, **headers: str) -> ApiResponse:
        """The instruction, as first sent and as sent again."""
        return self.order_service.post(self.path, self.body, key=KEY, **headers)

    def kill_gateway(self, point: str) -> None:
        """Have it killed when it has got to the point with the instruction, and start a new process."""
        if point in AT_THE_BANK:
            stage, ignores_hangup = AT_THE_BANK[point]
            self.bank.script(self.instruction.endpoint, "delay", ms=0, ignores_hangup=ignores_hangup)
            self.bank.hold(self.instruction.endpoint, at=stage)
        logged = len(self.gateway.log)
        with ThreadPoolExecutor(1) as client:
            asked = client.submit(self.ask, **{"X-Stand-Still": point})
            try:
                if point in AT_THE_BANK:
                    self.bank.wait_until_held()
                else:
                    self.until(lambda: announcement(point) in self.gateway.log[logged:])
                assert not asked.done()
                self._assert_last_statement(LAST_STATEMENTS.get(point))
            finally:
                self.gateway.kill()
            # The other end of its connection is gone: not only the server's parent process has died.
            with pytest.raises(requests.ConnectionError):
                asked.result()
        assert self.gateway.exit_code == -signal.SIGKILL
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{self.gateway.url}/health/live", timeout=2)
        self.until(lambda: not open_transactions())  # PostgreSQL has noticed, too
        if point in AT_THE_BANK and not AT_THE_BANK[point][1]:
            self.bank.wait_until_idle()
        self.gateway.restart()

    def remains(self) -> Remains:
        asked = self.instruction
        operation = Operation.objects.filter(kind=asked.kind).first()
        attempts = Attempt.objects.filter(operation__kind=asked.kind).order_by("number")
        claims = IdempotencyKey.objects.filter(key=KEY).values_list("response_status", flat=True)
        state = Payment.objects.values_list("state", flat=True).first()
        before = "PENDING" if operation and asked.states[0] is None else asked.states[0]
        assert state in (before, asked.states[1])
        entries = [entry.type for entry in self.bank.ledger()][self.entries_before :]
        assert set(entries) <= {asked.entry}
        events = Event.objects.filter(type__in=asked.events).order_by("id").values_list("type", flat=True)
        assert tuple(events) == asked.events[: len(events)]
        return Remains(
            operation=operation and operation.state,
            attempts=tuple(attempts.values_list("result", flat=True)),
            claims=tuple(status == asked.status for status in claims),
            is_done=state == asked.states[1],
            events=len(events),
            calls=tuple(call.ended for call in self.calls()),
            entries=len(entries),
        )

    def calls(self) -> list[Any]:
        """What the bank has seen of the instruction."""
        path = f"/api/v1/{self.instruction.endpoint}"
        return [seen for seen in self.bank.requests() if seen.path == path]

    def let_bank_finish(self) -> None:
        self.bank.release()
        self.bank.wait_until_idle()

    def recover(self) -> int:
        """What `manage.py reconcile pending --watch` does, a quarter of an hour a turn; how many turns."""
        for turn in range(1, 5):
            let_pass(15 * MINUTE, self.bank)
            recover_due(within=WITHIN)
            if not Operation.objects.filter(state__in=UNFINISHED_OPERATIONS).exists():
                return turn
        raise AssertionError("recovery does not come to an end")

    def assert_at_rest(self, answer: ApiResponse, *, failed: int = 0, awaiting_statement: int = 0) -> None:
        """`answer` is final, the same for ever, and what the bank's ledger says; nothing is left open.

        `failed`: the order's payments before this one, which the bank denies. `awaiting_statement`: the
        operations that a stray hold may still stand behind, as far as the protocol can tell.
        """
        for _ in range(2):
            again = self.ask()
            assert (again.status, again.body) == (self.instruction.status, answer.body)
            assert again.headers["Idempotent-Replayed"] == "true"
            self._assert_receipts(answer, failed)
            assert set(self.bank.max_in_flight().values()) == {1}
            assert disagreements(self.bank, settled=True) == []
            assert violations() == []
            assert Operation.objects.filter(awaiting_statement=True).count() == awaiting_statement
            assert not Discrepancy.objects.exists()
            assert Event.objects.filter(type=self.instruction.events[1]).count() == 1
            # Nor does anything stir later: late looks find only holds that a payment claims.
            let_pass(2 * HOUR, self.bank)
            recover_due(within=WITHIN)

    def is_ready_to_ship(self) -> bool:
        shown: bool = self.order_service.get(f"/orders/{self.order['order_id']}")["ready_to_ship"]
        return shown

    def _assert_receipts(self, answer: ApiResponse, failed: int) -> None:
        """What the API shows is what was answered, and exactly what the bank has done."""
        receipt, *others = self.order_service.get("/payments")["results"]
        state = self.instruction.states[1]
        assert (receipt["id"], receipt["state"]) == (answer.json["id"], state)
        assert (answer.json["state"], answer.json["bank"]) == (state, receipt["bank"])
        assert [other["state"] for other in others] == ["FAILED"] * failed
        assert all(one["pending_operation"] is None for one in [receipt, *others])
        assert at_bank(self.bank) == claimed([receipt, *others])
        assert self.is_ready_to_ship() is (state in ("AUTHORIZED", "CAPTURED"))

    @staticmethod
    def _assert_last_statement(expected: str | None) -> None:
        """One transaction stands open after a statement that says this; if None, there is none."""
        statements = open_transactions()
        assert len(statements) == (0 if expected is None else 1)
        assert all(str(expected) in statement for statement in statements)

    def _so_far(self, path: str, body: Any = None) -> dict[str, Any]:
        answer = self.order_service.post(path, body, key=f"before-{path}")
        assert answer.status in (200, 201), answer
        receipt: dict[str, Any] = answer.json
        return receipt


def open_transactions() -> list[str]:
    """The last statement of each transaction that stands open in the tests' database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT query FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'"
        )
        return [query for (query,) in cursor.fetchall()]


def claimed(receipts: list[dict[str, Any]]) -> list[tuple[str, str, str | None, int]]:
    """The ledger that the bank would have if the receipts said all."""
    entries = []
    for receipt in receipts:
        bank = receipt["bank"]
        entries += [
            (kind, bank[name], reference and bank[reference], receipt["amount"])
            for kind, name, reference in (
                ("AUTH_HOLD", "authorization_id", None),
                ("CAPTURE", "capture_id", "authorization_id"),
                ("VOID", "void_id", "authorization_id"),
                ("REFUND", "refund_id", "capture_id"),
            )
            if bank[name] is not None
        ]
    return sorted(entries)


def at_bank(bank: SimulatedBank) -> list[tuple[str, str, str | None, int]]:
    return sorted((entry.type, entry.id, entry.reference_id, entry.amount) for entry in bank.ledger())
