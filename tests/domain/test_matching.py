"""Which line of a statement is about which operation."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from payments.domain.statements import Shown
from payments.domain.states import OperationKind, OperationState, PaymentState
from reconciliation.matching.classes import Class
from reconciliation.matching.healing import line_that_shows
from reconciliation.matching.lines import LineFacts, Ours, Owner, classify_line

RECORDED_AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
A_DAY = timedelta(days=1)


def refund(state: OperationState = OperationState.NEEDS_REVIEW) -> Ours:
    return Ours(
        id="of1",
        kind=OperationKind.REFUND,
        state=state,
        reference="",
        target="capture-1",
        amount_minor=500,
        currency="USD",
        payment="pay1",
        merchant=1,
        created_at=RECORDED_AT,
        is_matched=False,
    )


def shown(at: datetime) -> Shown:
    """A refund of that capture and amount."""
    return Shown("sandbox", OperationKind.REFUND, "refund-1", "capture-1", 500, "USD", at, "day.csv", 2)


def test_a_known_hold_is_an_orphan_once_its_release_has_come_to_nothing() -> None:
    release = replace(
        refund(OperationState.NOT_EXECUTED), kind=OperationKind.RELEASE, target="hold-1", payment=None
    )
    hold = LineFacts(
        id=1,
        kind=OperationKind.AUTHORIZE,
        reference="hold-1",
        target="",
        amount_minor=500,
        currency="USD",
        at=RECORDED_AT,
        is_named_by_us=True,
    )
    assert [one.what for one in classify_line(hold)] == [Class.EXPLAINED]
    assert [one.what for one in classify_line(replace(hold, about=(release,)))] == [Class.ORPHAN_HOLD]


def facts(at: datetime, about: Ours) -> LineFacts:
    return LineFacts(
        id=1,
        kind=OperationKind.REFUND,
        reference="refund-1",
        target="capture-1",
        amount_minor=500,
        currency="USD",
        at=at,
        is_done_once=False,
        owner=Owner("pay1", 1, PaymentState.CAPTURED),
        about=(about,),
    )


class TestAnEarlierLine:
    """Where a capture may be refunded several times, a refund made before ours was recorded is not ours."""

    def test_does_not_show_the_operation(self) -> None:
        for at, is_its_own in ((RECORDED_AT - A_DAY, False), (RECORDED_AT, True)):
            line = line_that_shows(refund(), [shown(at)], rivals=0, is_done_once=False)
            assert (line is not None) is is_its_own
        assert line_that_shows(refund(), [shown(RECORDED_AT - A_DAY)], rivals=0, is_done_once=True)

    def test_does_not_hide_the_operations_own(self) -> None:
        lines = [shown(RECORDED_AT - A_DAY), shown(RECORDED_AT)]
        assert line_that_shows(refund(), lines, rivals=0, is_done_once=False) == lines[1]

    def test_was_made_outside(self) -> None:
        for state in (OperationState.NEEDS_REVIEW, OperationState.NOT_EXECUTED):
            [verdict] = classify_line(facts(RECORDED_AT - A_DAY, refund(state)))
            assert verdict.what is Class.REFUNDED_OUTSIDE
