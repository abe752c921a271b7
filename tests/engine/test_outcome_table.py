"""The table of outcomes at work: every cell of `payments.domain.meanings`, from the API to the bank and back.

All cells are tried with a bank in process, and one of each row with the simulated bank on its wire.

docs/outcomes.md links each of its cells to the line below that holds it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from payments.domain.meanings import MEANINGS, PROBE_MEANINGS, Meaning, ReplyKind
from payments.domain.states import OperationKind
from payments.domain.timing import Timing
from tests.conftest import forget_pace, wait_for_bank_threads
from tests.engine.bank_in_process import BankInProcess, bank_in_process
from tests.engine.outcome_scenarios import (
    BEFORE_PROBES,
    REPLIES,
    REPLIES_TO_PROBES,
    Column,
    Scene,
    ill_health,
    recover,
    silence,
)
from tests.support.api_client import ApiClient
from tests.support.simulated_bank import SimulatedBank

AUTHORIZE, CAPTURE, VOID = OperationKind.AUTHORIZE, OperationKind.CAPTURE, OperationKind.VOID
REFUND, RELEASE = OperationKind.REFUND, OperationKind.RELEASE
PROBE: Column = "probe"
# A release first: its hold is the only one that runs out.
KINDS = (RELEASE, AUTHORIZE, CAPTURE, VOID, REFUND)
pytestmark = pytest.mark.usefixtures("scripted")


@dataclass(frozen=True)
class Left:
    """What an answer leaves: of the operation, of its payment, and for people to look at."""

    operation: str
    payment: str
    awaiting_statement: bool = False
    discrepancy: str = ""
    id_unknown: bool = False  # of what the bank has made

    @classmethod
    def by(cls, scene: Scene) -> "Left":
        operation = scene.operation
        return cls(
            operation.state,
            operation.claimed_payment.state,
            operation.awaiting_statement,
            ", ".join(operation.discrepancies.values_list("kind", flat=True)),
            operation.state == "SUCCEEDED" and operation.bank_reference != scene.bank.ledger()[-1].id,
        )


@dataclass(frozen=True)
class Cell:
    """What is left at first, whether the bank was asked again at once, and what is left in the end."""

    at_first: Left
    asks_again: bool
    at_last: Left


def ended(operation: str, payment: str, *, awaiting: bool = False) -> Cell:
    left = Left(operation, payment, awaiting)
    return Cell(left, asks_again=False, at_last=left)


def succeeded(payment: str, *, awaiting: bool = False) -> Cell:
    return ended("SUCCEEDED", payment, awaiting=awaiting)


def deduced(payment: str) -> Cell:
    left = Left("SUCCEEDED", payment, id_unknown=True)
    return Cell(left, asks_again=False, at_last=left)


def not_sent(operation: str, payment: str) -> Cell:
    left = Left(operation, payment)
    return Cell(left, asks_again=True, at_last=left)


def in_doubt(payment: str) -> Cell:
    return not_sent("OPEN", payment)


def freed_later(payment: str) -> Cell:
    return Cell(Left("OPEN", payment), asks_again=True, at_last=Left("SUCCEEDED", payment))


def found_by_a_probe() -> Cell:
    """After two silent attempts the card is not sent again, so only a probe hears the answer."""
    found = Left("SUCCEEDED", "AUTHORIZED", awaiting_statement=True)
    return Cell(Left("OPEN", "PENDING"), asks_again=False, at_last=found)


def for_people(payment: str, discrepancy: str) -> Cell:
    left = Left("NEEDS_REVIEW", payment, discrepancy=discrepancy)
    return Cell(left, asks_again=False, at_last=left)


def contradiction(payment: str) -> Cell:
    """Counted where recovery repeats the question. About an authorize it asks another one: it probes."""
    at_first = Left("OPEN", payment)
    at_last = at_first if payment == "PENDING" else for_people(payment, "contradiction").at_last
    return Cell(at_first, asks_again=False, at_last=at_last)


# fmt: off
CELLS: dict[tuple[ReplyKind, Column], Cell] = {
    (ReplyKind.APPROVED, AUTHORIZE): succeeded("AUTHORIZED"),
    (ReplyKind.APPROVED, CAPTURE): succeeded("CAPTURED"),
    (ReplyKind.APPROVED, VOID): succeeded("VOIDED"),
    (ReplyKind.APPROVED, REFUND): succeeded("REFUNDED"),
    (ReplyKind.APPROVED, RELEASE): succeeded("EXPIRED"),

    (ReplyKind.APPROVED_ANEW_AFTER_SILENCE, AUTHORIZE): succeeded("AUTHORIZED", awaiting=True),
    (ReplyKind.APPROVED_ANEW_AFTER_SILENCE, CAPTURE): succeeded("CAPTURED"),
    (ReplyKind.APPROVED_ANEW_AFTER_SILENCE, VOID): succeeded("VOIDED"),
    (ReplyKind.APPROVED_ANEW_AFTER_SILENCE, REFUND): succeeded("REFUNDED"),
    (ReplyKind.APPROVED_ANEW_AFTER_SILENCE, RELEASE): succeeded("EXPIRED"),

    (ReplyKind.REPLAYED_AFTER_SILENCES, AUTHORIZE): found_by_a_probe(),
    (ReplyKind.REPLAYED_AFTER_SILENCES, CAPTURE): succeeded("CAPTURED"),
    (ReplyKind.REPLAYED_AFTER_SILENCES, VOID): succeeded("VOIDED"),
    (ReplyKind.REPLAYED_AFTER_SILENCES, REFUND): succeeded("REFUNDED"),
    (ReplyKind.REPLAYED_AFTER_SILENCES, RELEASE): succeeded("EXPIRED"),

    (ReplyKind.DECLINED_BY_ISSUER, AUTHORIZE): ended("DECLINED", "DECLINED"),
    (ReplyKind.DECLINED_BY_ISSUER, CAPTURE): contradiction("AUTHORIZED"),
    (ReplyKind.DECLINED_BY_ISSUER, VOID): contradiction("AUTHORIZED"),
    (ReplyKind.DECLINED_BY_ISSUER, REFUND): contradiction("CAPTURED"),
    (ReplyKind.DECLINED_BY_ISSUER, RELEASE): contradiction("EXPIRED"),

    (ReplyKind.INVALID_CARD, AUTHORIZE): ended("DECLINED", "DECLINED"),
    (ReplyKind.INVALID_CARD, CAPTURE): contradiction("AUTHORIZED"),
    (ReplyKind.INVALID_CARD, VOID): contradiction("AUTHORIZED"),
    (ReplyKind.INVALID_CARD, REFUND): contradiction("CAPTURED"),
    (ReplyKind.INVALID_CARD, RELEASE): contradiction("EXPIRED"),

    (ReplyKind.TROUBLE, AUTHORIZE): in_doubt("PENDING"),
    (ReplyKind.TROUBLE, CAPTURE): in_doubt("AUTHORIZED"),
    (ReplyKind.TROUBLE, VOID): in_doubt("AUTHORIZED"),
    (ReplyKind.TROUBLE, REFUND): in_doubt("CAPTURED"),
    (ReplyKind.TROUBLE, RELEASE): in_doubt("EXPIRED"),

    (ReplyKind.NOTHING_SENT, AUTHORIZE): not_sent("NOT_EXECUTED", "FAILED"),
    (ReplyKind.NOTHING_SENT, CAPTURE): not_sent("NOT_EXECUTED", "AUTHORIZED"),
    (ReplyKind.NOTHING_SENT, VOID): not_sent("NOT_EXECUTED", "AUTHORIZED"),
    (ReplyKind.NOTHING_SENT, REFUND): not_sent("NOT_EXECUTED", "CAPTURED"),
    (ReplyKind.NOTHING_SENT, RELEASE): freed_later("EXPIRED"),

    (ReplyKind.AUTHORIZATION_EXPIRED, AUTHORIZE): contradiction("PENDING"),
    (ReplyKind.AUTHORIZATION_EXPIRED, CAPTURE): ended("REJECTED", "EXPIRED"),
    (ReplyKind.AUTHORIZATION_EXPIRED, VOID): contradiction("AUTHORIZED"),
    (ReplyKind.AUTHORIZATION_EXPIRED, REFUND): contradiction("CAPTURED"),
    (ReplyKind.AUTHORIZATION_EXPIRED, RELEASE): contradiction("EXPIRED"),

    (ReplyKind.ALREADY_USED_AFTER_SILENCE, AUTHORIZE): contradiction("PENDING"),
    (ReplyKind.ALREADY_USED_AFTER_SILENCE, CAPTURE): for_people("AUTHORIZED", "capture_id_unknown"),
    (ReplyKind.ALREADY_USED_AFTER_SILENCE, VOID): deduced("VOIDED"),
    (ReplyKind.ALREADY_USED_AFTER_SILENCE, REFUND): contradiction("CAPTURED"),
    (ReplyKind.ALREADY_USED_AFTER_SILENCE, RELEASE): deduced("EXPIRED"),

    (ReplyKind.ALREADY_CAPTURED_AFTER_SILENCE, AUTHORIZE): contradiction("PENDING"),
    (ReplyKind.ALREADY_CAPTURED_AFTER_SILENCE, CAPTURE): for_people("AUTHORIZED", "capture_id_unknown"),
    (ReplyKind.ALREADY_CAPTURED_AFTER_SILENCE, VOID): contradiction("AUTHORIZED"),
    (ReplyKind.ALREADY_CAPTURED_AFTER_SILENCE, REFUND): contradiction("CAPTURED"),
    (ReplyKind.ALREADY_CAPTURED_AFTER_SILENCE, RELEASE): contradiction("EXPIRED"),

    (ReplyKind.ALREADY_VOIDED_AFTER_SILENCE, AUTHORIZE): contradiction("PENDING"),
    (ReplyKind.ALREADY_VOIDED_AFTER_SILENCE, CAPTURE): contradiction("AUTHORIZED"),
    (ReplyKind.ALREADY_VOIDED_AFTER_SILENCE, VOID): deduced("VOIDED"),
    (ReplyKind.ALREADY_VOIDED_AFTER_SILENCE, REFUND): contradiction("CAPTURED"),
    (ReplyKind.ALREADY_VOIDED_AFTER_SILENCE, RELEASE): deduced("EXPIRED"),

    (ReplyKind.ALREADY_REFUNDED_AFTER_SILENCE, AUTHORIZE): contradiction("PENDING"),
    (ReplyKind.ALREADY_REFUNDED_AFTER_SILENCE, CAPTURE): contradiction("AUTHORIZED"),
    (ReplyKind.ALREADY_REFUNDED_AFTER_SILENCE, VOID): contradiction("AUTHORIZED"),
    (ReplyKind.ALREADY_REFUNDED_AFTER_SILENCE, REFUND): deduced("REFUNDED"),
    (ReplyKind.ALREADY_REFUNDED_AFTER_SILENCE, RELEASE): contradiction("EXPIRED"),

    (ReplyKind.ANYTHING_ELSE, AUTHORIZE): contradiction("PENDING"),
    (ReplyKind.ANYTHING_ELSE, CAPTURE): contradiction("AUTHORIZED"),
    (ReplyKind.ANYTHING_ELSE, VOID): contradiction("AUTHORIZED"),
    (ReplyKind.ANYTHING_ELSE, REFUND): contradiction("CAPTURED"),
    (ReplyKind.ANYTHING_ELSE, RELEASE): contradiction("EXPIRED"),
}
# What two probes leave that are both answered so, ten minutes apart.
PROBED: dict[tuple[ReplyKind, Column], Left] = {
    (ReplyKind.APPROVED, PROBE): Left("SUCCEEDED", "AUTHORIZED"),
    (ReplyKind.APPROVED_ANEW_AFTER_SILENCE, PROBE): Left("NEEDS_REVIEW", "PENDING", discrepancy="contradiction"),  # noqa: E501
    (ReplyKind.REPLAYED_AFTER_SILENCES, PROBE): Left("SUCCEEDED", "AUTHORIZED", awaiting_statement=True),
    (ReplyKind.DECLINED_BY_ISSUER, PROBE): Left("OPEN", "PENDING"),
    (ReplyKind.INVALID_CARD, PROBE): Left("NOT_EXECUTED", "FAILED", awaiting_statement=True),
    (ReplyKind.TROUBLE, PROBE): Left("OPEN", "PENDING"),
    (ReplyKind.NOTHING_SENT, PROBE): Left("OPEN", "PENDING"),
    (ReplyKind.AUTHORIZATION_EXPIRED, PROBE): Left("OPEN", "PENDING"),
    (ReplyKind.ALREADY_USED_AFTER_SILENCE, PROBE): Left("OPEN", "PENDING"),
    (ReplyKind.ALREADY_CAPTURED_AFTER_SILENCE, PROBE): Left("OPEN", "PENDING"),
    (ReplyKind.ALREADY_VOIDED_AFTER_SILENCE, PROBE): Left("OPEN", "PENDING"),
    (ReplyKind.ALREADY_REFUNDED_AFTER_SILENCE, PROBE): Left("OPEN", "PENDING"),
    (ReplyKind.ANYTHING_ELSE, PROBE): Left("OPEN", "PENDING"),
}
# A: the silent attempt may have made a hold.
AFTER_SILENCE: dict[tuple[ReplyKind, Column], Cell] = {
    (ReplyKind.DECLINED_BY_ISSUER, AUTHORIZE): ended("DECLINED", "DECLINED", awaiting=True),
    (ReplyKind.INVALID_CARD, AUTHORIZE): ended("DECLINED", "DECLINED", awaiting=True),
}
# B: an earlier operation may have done it.
NOT_OURS_FOR_CERTAIN: dict[tuple[ReplyKind, Column], Cell] = {
    (ReplyKind.ALREADY_USED_AFTER_SILENCE, CAPTURE): for_people("AUTHORIZED", "not_deducible"),
    (ReplyKind.ALREADY_USED_AFTER_SILENCE, VOID): for_people("AUTHORIZED", "not_deducible"),
    (ReplyKind.ALREADY_USED_AFTER_SILENCE, RELEASE): for_people("EXPIRED", "not_deducible"),
    (ReplyKind.ALREADY_CAPTURED_AFTER_SILENCE, CAPTURE): for_people("AUTHORIZED", "not_deducible"),
    (ReplyKind.ALREADY_VOIDED_AFTER_SILENCE, VOID): for_people("AUTHORIZED", "not_deducible"),
    (ReplyKind.ALREADY_VOIDED_AFTER_SILENCE, RELEASE): for_people("EXPIRED", "not_deducible"),
    (ReplyKind.ALREADY_REFUNDED_AFTER_SILENCE, REFUND): for_people("CAPTURED", "not_deducible"),
}
IN_ILL_HEALTH: dict[tuple[ReplyKind, Column], Cell] = {
    (ReplyKind.INVALID_CARD, AUTHORIZE): in_doubt("PENDING"),
}
# fmt: on


ON_THE_WIRE = [
    (ReplyKind.APPROVED, RELEASE),
    (ReplyKind.APPROVED_ANEW_AFTER_SILENCE, AUTHORIZE),
    (ReplyKind.REPLAYED_AFTER_SILENCES, CAPTURE),
    (ReplyKind.DECLINED_BY_ISSUER, AUTHORIZE),
    (ReplyKind.INVALID_CARD, AUTHORIZE),
    (ReplyKind.TROUBLE, REFUND),
    (ReplyKind.NOTHING_SENT, VOID),
    (ReplyKind.AUTHORIZATION_EXPIRED, CAPTURE),
    (ReplyKind.ALREADY_USED_AFTER_SILENCE, VOID),
    (ReplyKind.ALREADY_CAPTURED_AFTER_SILENCE, CAPTURE),
    (ReplyKind.ALREADY_VOIDED_AFTER_SILENCE, RELEASE),
    (ReplyKind.ALREADY_REFUNDED_AFTER_SILENCE, REFUND),
    (ReplyKind.ANYTHING_ELSE, CAPTURE),
]


def attempts_for(answer: ReplyKind, kind: OperationKind) -> int:
    """How many are made until the answer is heard, or nothing is sent any more."""
    if answer is ReplyKind.REPLAYED_AFTER_SILENCES:
        return 2 if kind is AUTHORIZE else 3
    return 2 if "AFTER" in answer.name else 1


def entries(cells: dict[tuple[ReplyKind, Column], Any]) -> list[Any]:
    return [
        pytest.param(answer, column, left, id=f"{answer.name}-{column}")
        for (answer, column), left in cells.items()
    ]


def assert_leaves(cell: Cell, scene: Scene, answer: ReplyKind, *, attempts: int) -> None:
    """`attempts` is how many it takes to hear the answer once."""
    try:
        scene.send()
    finally:
        if answer is ReplyKind.NOTHING_SENT:
            scene.bank.restart()
    assert Left.by(scene) == cell.at_first
    assert scene.attempts > attempts if cell.asks_again else scene.attempts == attempts
    if cell.at_first.operation == "OPEN":
        for _ in range(2):
            scene.time_passes()
            recover()
    assert Left.by(scene) == cell.at_last


def assert_probe_leaves(left: Left, scene: Scene, answer: ReplyKind) -> None:
    scene.send_in_vain(BEFORE_PROBES[answer])
    assert Left.by(scene) == Left("OPEN", "PENDING")
    for _ in range(2):
        scene.time_passes()
        scene.says(REPLIES_TO_PROBES[answer])
        try:
            recover()
        finally:
            if answer is ReplyKind.NOTHING_SENT:
                scene.bank.restart()
    assert Left.by(scene) == left


@pytest.fixture
def in_process(scripted: Timing, monkeypatch: pytest.MonkeyPatch) -> Iterator[BankInProcess]:
    with bank_in_process(monkeypatch) as bank:
        forget_pace(retries=3)
        yield bank
        wait_for_bank_threads()


class TestEveryCell:
    def test_is_here_and_nothing_else(self) -> None:
        assert set(CELLS) == set(MEANINGS)
        assert set(PROBED) == {(answer, PROBE) for answer in PROBE_MEANINGS}

    @pytest.mark.parametrize("answer", ReplyKind)
    def test_leaves_the_operation_and_its_payment_so(
        self, live: ApiClient, in_process: BankInProcess, answer: ReplyKind
    ) -> None:
        for kind in KINDS:
            scene = Scene(live, in_process, kind)
            scene.says(REPLIES[answer])
            assert_leaves(CELLS[answer, kind], scene, answer, attempts=attempts_for(answer, kind))
            scene.end()

    @pytest.mark.parametrize("answer", ReplyKind)
    def test_of_a_probe_leaves_the_authorize_and_its_payment_so(
        self, live: ApiClient, in_process: BankInProcess, answer: ReplyKind
    ) -> None:
        assert_probe_leaves(PROBED[answer, PROBE], Scene(live, in_process, AUTHORIZE), answer)


class TestOnTheWire:
    """A cell of each row, and the probes that settle something."""

    @pytest.mark.parametrize(("answer", "kind"), ON_THE_WIRE)
    def test_an_answer_leaves_the_same(
        self, live: ApiClient, bank: SimulatedBank, answer: ReplyKind, kind: OperationKind
    ) -> None:
        scene = Scene(live, bank, kind)
        scene.says(REPLIES[answer])
        assert_leaves(CELLS[answer, kind], scene, answer, attempts=attempts_for(answer, kind))

    @pytest.mark.parametrize(
        "answer", [one for one, _ in PROBED if PROBE_MEANINGS[one] is not Meaning.IN_DOUBT]
    )
    def test_an_answer_to_a_probe_leaves_the_same(
        self, live: ApiClient, bank: SimulatedBank, answer: ReplyKind
    ) -> None:
        assert_probe_leaves(PROBED[answer, PROBE], Scene(live, bank, AUTHORIZE), answer)


class TestTheConditions:
    @pytest.mark.parametrize(("answer", "kind", "cell"), entries(AFTER_SILENCE))
    def test_a_decline_after_silence_awaits_the_statement(
        self, live: ApiClient, bank: SimulatedBank, answer: ReplyKind, kind: OperationKind, cell: Cell
    ) -> None:
        scene = Scene(live, bank, kind)
        scene.says(silence, REPLIES[answer])
        assert_leaves(cell, scene, answer, attempts=2)

    @pytest.mark.parametrize(("answer", "kind", "cell"), entries(NOT_OURS_FOR_CERTAIN))
    def test_nothing_is_deduced_where_an_earlier_operation_ended_without_the_banks_answer(
        self, live: ApiClient, bank: SimulatedBank, answer: ReplyKind, kind: OperationKind, cell: Cell
    ) -> None:
        scene = Scene(live, bank, kind)
        scene.after_one_that_people_ended()
        scene.says(REPLIES[answer])
        assert_leaves(cell, scene, answer, attempts=2)

    @pytest.mark.parametrize(("answer", "kind", "cell"), entries(IN_ILL_HEALTH))
    def test_an_unknown_card_at_a_bank_in_ill_health_is_no_decline(
        self, live: ApiClient, bank: SimulatedBank, answer: ReplyKind, kind: OperationKind, cell: Cell
    ) -> None:
        scene = Scene(live, bank, kind)
        scene.says(ill_health, REPLIES[answer])
        assert_leaves(cell, scene, answer, attempts=1)
