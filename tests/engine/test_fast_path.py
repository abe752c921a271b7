"""The fast path writes what the careful path writes, and leaves to it what is not the ordinary case."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import Model

from payments.engine import statements
from payments.models import (
    Attempt,
    Discrepancy,
    Event,
    IdempotencyKey,
    LedgerEntry,
    LedgerPosting,
    Operation,
    Payment,
)
from tests.engine.statements import counted_statements
from tests.support.api_client import CARDS, ApiClient, ApiResponse, order
from tests.support.at_once import InBackground
from tests.support.factories import DiscrepancyFactory
from tests.support.simulated_bank import SimulatedBank
from tests.support.unguarded import unguarded

Deed = Callable[[ApiClient], ApiResponse]
TABLES: tuple[type[Model], ...] = (
    *(Payment, Operation, Attempt, Event, IdempotencyKey),
    *(LedgerEntry, LedgerPosting),
)
OWN = ("id", "event_id", "entry_id", "digest", "duration_ms", "bank_idempotency_key")
_OWN_OF_EACH = re.compile(
    r"(pay|op|auth|cap|ref|void)_[0-9a-f-]{32,36}|\d{4}-\d\d-\d\dT[\d:.]+Z|[0-9a-f]{32}"
)


def authorized(shop: ApiClient) -> ApiResponse:
    return shop.post("/payments", order(order_id="o", description="zwölf Äpfel", metadata={"a": "1"}))


def declined(shop: ApiClient) -> ApiResponse:
    return shop.post("/payments", order(order_id="o", card=CARDS["no-funds"]))


def step(verb: str, before: Deed, body: Any = None) -> Deed:
    def after(shop: ApiClient) -> ApiResponse:
        payment = before(shop).json
        return shop.post(f"/payments/{payment['id']}/{verb}", body)

    return after


captured = step("capture", authorized, {"reason": "shipped"})
DEEDS: dict[str, Deed] = {
    "authorize": authorized,
    "decline": declined,
    "capture": captured,
    "capture of an amount": step("capture", authorized, {"amount": 5000}),
    "void": step("void", authorized),
    "refund": step("refund", captured, {"reason": "returned"}),
}


@pytest.fixture
def only_carefully(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on nothing is found as the fast path expects it."""

    def switch() -> None:
        fetch = statements.fetch

        def fetch_callers(statement: str, parameters: dict[str, Any]) -> Any:
            return fetch(statement, parameters) if statement == statements.READ_CALLER else None

        monkeypatch.setattr(statements, "fetch", fetch_callers)

    return switch


def recorded() -> list[tuple[str, dict[str, Any]]]:
    """All rows, with their types in the place of ids and times, which are each payment's own."""
    rows = []
    for table in TABLES:
        for row in table.objects.order_by("pk" if table is not Operation else "created_at").values():  # type: ignore[attr-defined]
            rows.append((table.__name__, {name: _shape(name, value) for name, value in row.items()}))
    return rows


def _shape(name: str, value: Any) -> Any:
    if isinstance(value, UUID | datetime) or name in OWN:
        return type(value)
    if isinstance(value, memoryview | bytes):
        value = bytes(value).decode()
    return _OWN_OF_EACH.sub("-", str(value)) if isinstance(value, str | dict) else value


def empty() -> None:
    with unguarded(), connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table in (*TABLES, Discrepancy):
            cursor.execute(f"DELETE FROM {table._meta.db_table}")
        cursor.execute("SET session_replication_role = origin")


@pytest.mark.parametrize("deed", DEEDS)
def test_both_paths_leave_the_same_rows_and_answers(
    deed: str, live: ApiClient, bank: SimulatedBank, only_carefully: Callable[[], None]
) -> None:
    fast, rows_of_fast = DEEDS[deed](live), recorded()
    empty()
    only_carefully()
    with counted_statements() as counted:
        careful, rows_of_careful = DEEDS[deed](live), recorded()
    assert counted.transactions >= 2, counted
    assert rows_of_fast == rows_of_careful
    assert _OWN_OF_EACH.sub("-", fast.body.decode()) == _OWN_OF_EACH.sub("-", careful.body.decode())
    assert (fast.status, fast.headers.keys()) == (careful.status, careful.headers.keys())


@pytest.mark.parametrize("deed", DEEDS)
def test_an_answer_has_the_outcomes_own_time_and_is_replayed_to_the_byte(
    deed: str, live: ApiClient, bank: SimulatedBank
) -> None:
    answer = DEEDS[deed](live)
    shown = answer.json.get("payment", answer.json)
    operation = Operation.objects.latest("created_at")
    assert datetime.fromisoformat(shown["last_operation"]["at"]) == operation.finished_at
    assert bytes(IdempotencyKey.objects.get(operation=operation).response_body or b"") == answer.body
    read = live.get(f"/payments/{shown['id']}").json
    assert {**read, "money_moved": ""} == {**shown, "money_moved": ""}


class TestWhatIsNotOrdinary:
    def test_a_bank_key_of_a_forgotten_key_is_never_used_again(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        body = order(order_id="o")
        payment = live.post("/payments", body, key="k").json
        live.post(f"/payments/{payment['id']}/void")
        with unguarded():
            IdempotencyKey.objects.filter(key="k").delete()
        assert live.post("/payments", body, key="k").status == 201
        assert list(
            Operation.objects.filter(kind="authorize").order_by("created_at").values_list("ordinal")
        ) == [
            (0,),
            (1,),
        ]

    def test_a_success_closes_what_the_bank_had_done_in_spite_of_our_books(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = live.authorized()
        bank.hold("captures")
        waiting = InBackground(lambda: live.post(f"/payments/{payment['id']}/capture"))
        bank.wait_until_held()
        operation = Operation.objects.get(kind="capture")
        late = DiscrepancyFactory(kind="late_reply", operation=operation)
        bank.release()
        assert waiting.answer().status == 200
        late = Discrepancy.objects.get(pk=late.pk)
        assert late.closed_at is not None
