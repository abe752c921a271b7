"""FicmartBank at the simulated bank: a real process on a real port, quirks included."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from payments.banks.ficmart import FicmartBank
from payments.domain.cards import Card
from payments.domain.replies import (
    Approval,
    BankError,
    Decline,
    Mismatch,
    NotDone,
    NotSent,
    Reply,
    Said,
    Silence,
)
from payments.domain.states import OperationKind
from payments.domain.timing import Timing
from tests.banks.instructions import CUT_SHORT, GAVE_UP, instruction
from tests.support.simulated_bank import SimulatedBank

GOOD = Card("4111111111111111", 12, 2030, "123")
CARDS = {
    "insufficient_funds": Card("5555555555554444", 9, 2030, "789"),
    "card_expired": Card("5105105105105100", 3, 2020, "321"),
    "invalid_cvv": Card("4111111111111111", 12, 2030, "999"),
    "invalid_card": Card("4012888888881881", 12, 2030, "123"),
}
TOO_MANY = {"status": 429, "code": "slow_down", "retry_after": 3}


@pytest.fixture
def client(bank: SimulatedBank, timing: Timing) -> FicmartBank:
    return FicmartBank(bank.url, timing, closes_when_finished=True)


def authorize(client: FicmartBank, key: str = "key-1", card: Card = GOOD) -> Reply:
    return client.send(instruction(idempotency_key=key), card=card, may_send=lambda: True)


def follow_up(client: FicmartBank, kind: OperationKind, target: str, key: str) -> Reply:
    told = instruction(kind, target_reference=target, idempotency_key=key)
    return client.send(told, card=None, may_send=lambda: True)


def reference(reply: Reply) -> str:
    assert isinstance(reply, Approval)
    return reply.reference


class TestMoney:
    def test_is_held_taken_and_given_back(self, bank: SimulatedBank, client: FicmartBank) -> None:
        held = authorize(client)
        assert isinstance(held, Approval)
        assert held.expires_at is not None
        assert abs(held.expires_at - bank.now() - timedelta(days=7)) < timedelta(seconds=10)
        taken = follow_up(client, OperationKind.CAPTURE, held.reference, "key-2")
        given_back = follow_up(client, OperationKind.REFUND, reference(taken), "key-3")
        assert [entry.id for entry in bank.ledger()] == [reference(one) for one in (held, taken, given_back)]
        assert [entry.idempotency_key for entry in bank.ledger()] == ["key-1", "key-2", "key-3"]

    @pytest.mark.parametrize("kind", [OperationKind.VOID, OperationKind.RELEASE])
    def test_held_is_let_go(self, bank: SimulatedBank, client: FicmartBank, kind: OperationKind) -> None:
        voided = follow_up(client, kind, reference(authorize(client)), "key-2")
        assert bank.ledger()[-1].id == reference(voided)
        assert bank.balances()["1111"].held == 0

    def test_is_moved_once_by_a_replay_which_says_that_it_is_one(
        self, bank: SimulatedBank, client: FicmartBank
    ) -> None:
        first, second = authorize(client), authorize(client)
        assert reference(first) == reference(second)
        assert [one.replayed for one in (first, second) if isinstance(one, Approval)] == [False, True]
        assert len(bank.ledger()) == 1

    @pytest.mark.parametrize("code", CARDS)
    def test_is_refused(self, bank: SimulatedBank, client: FicmartBank, code: str) -> None:
        status = 402 if code == "insufficient_funds" else 400
        assert authorize(client, card=CARDS[code]) == Decline(Said(code), status, code)
        assert bank.ledger() == []

    def test_of_a_hold_that_ran_out_is_not_taken(self, bank: SimulatedBank, client: FicmartBank) -> None:
        held = reference(authorize(client))
        bank.move_clock(seconds=timedelta(days=8).total_seconds())
        reply = follow_up(client, OperationKind.CAPTURE, held, "key-2")
        assert reply == BankError(Said.AUTHORIZATION_EXPIRED, 400, "authorization_expired")


class TestTrouble:
    @pytest.mark.parametrize(
        ("scripted", "reply", "executed"),
        [
            (("fail_before", {}), NotDone(500, "internal_error"), False),
            (("fail_after", {}), NotDone(500, "internal_error"), True),
            (("fail_before", TOO_MANY), NotDone(429, "slow_down", 3.0), False),
            (
                ("fail_before", {"status": 503, "code": "away"}),
                Silence("unexpected status", 503, is_over=False),
                False,
            ),
            (("drop_before", {}), Silence("connection lost"), False),
            (("drop_after", {}), Silence("connection lost"), True),
            (("hang_before", {}), GAVE_UP, False),
            (("hang_after", {}), GAVE_UP, True),
            (("garbage", {}), Silence("unreadable reply", 200), True),
            (("garbage", {"status": 204, "body": ""}), Silence("unexpected status", 204), True),
            (
                ("garbage", {"executed": False, "status": 502}),
                Silence("unreadable error", 502, is_over=False),
                False,
            ),
            (("alter", {"amount": 1}), Mismatch(200, "another amount than sent"), True),
            (("alter", {"status": None}), Silence("incomplete reply", 200), True),
            (("dribble", {"interval_ms": 10}), CUT_SHORT, True),
            (("database_down", {}), Silence("400 internal_error", 400), False),
            (("database_fails_midway", {}), Decline(Said.INVALID_CARD, 400, "invalid_card"), False),
        ],
        ids=lambda value: f"{value[0]} {value[1]}" if isinstance(value, tuple) else "",
    )
    def test_is_told_apart(
        self, bank: SimulatedBank, client: FicmartBank, scripted: Any, reply: Reply, executed: bool
    ) -> None:
        step, options = scripted
        bank.script("authorizations", step, **options)
        assert authorize(client) == reply
        bank.release()
        bank.wait_until_idle()
        assert len(bank.ledger()) == executed
        # And the connection's end is no obstacle to the next.
        assert isinstance(authorize(client, key="key-2"), Approval)

    def test_of_a_bank_that_is_gone_is_proof_that_nothing_was_sent(
        self, bank: SimulatedBank, client: FicmartBank
    ) -> None:
        assert isinstance(authorize(client), Approval)
        bank.kill()
        try:
            assert authorize(client, key="key-2") == NotSent("connection failed")
            assert not client.is_healthy()
        finally:
            bank.restart()
        assert isinstance(authorize(client, key="key-2"), Approval)

    def test_is_told_by_the_banks_health(self, bank: SimulatedBank, client: FicmartBank) -> None:
        assert client.is_healthy()
        bank.database_down()
        assert not client.is_healthy()
        bank.database_down(False)
        assert client.is_healthy()

    def test_no_byte_reaches_the_bank_when_none_may(self, bank: SimulatedBank, client: FicmartBank) -> None:
        reply = client.send(instruction(), card=GOOD, may_send=lambda: False)
        assert isinstance(reply, NotSent)
        assert bank.requests() == []


class TestManyAtOnce:
    def test_each_get_their_own_hold(self, bank: SimulatedBank, client: FicmartBank) -> None:
        bank.weather(min_latency_ms=0, max_latency_ms=50)
        with ThreadPoolExecutor(32) as threads:
            replies = list(threads.map(lambda number: authorize(client, key=f"key-{number}"), range(96)))
        made = {entry.idempotency_key: entry.id for entry in bank.ledger()}
        assert {f"key-{number}": reference(reply) for number, reply in enumerate(replies)} == made

    def test_a_slow_one_delays_no_other(self, bank: SimulatedBank) -> None:
        client = FicmartBank(bank.url, Timing(connect=5, read=20, attempt=30))
        bank.script("authorizations", "hang_after")
        with ThreadPoolExecutor(1) as thread:
            slow = thread.submit(authorize, client, "slow")
            bank.wait_until_held()
            assert isinstance(authorize(client, "quick"), Approval)
            assert not slow.done()
            bank.release()
            assert isinstance(slow.result(), Approval)
