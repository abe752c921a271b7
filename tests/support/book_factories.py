"""Rows of the books for tests: statements, differences, runs, settlements. See `factories`.

    line = StatementLineFactory(kind=OperationKind.CAPTURE, amount_minor=5000)
    DifferenceFactory(line=line, kind=Difference.Kind.CAPTURED_OUTSIDE)
    SettlementFactory(captured_minor=10_000, fees_minor=290)

A settlement's lines are made only if the test makes them: the guards are off while a factory writes.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

from factory import LazyAttribute, LazyFunction, SelfAttribute, Sequence, SubFactory, Trait

from payments.domain.days import begin_of
from payments.domain.ids import new_id
from payments.domain.statements import NAMES
from payments.domain.states import Mode, OperationKind
from payments.models import Event
from reconciliation.models import (
    Correction,
    Difference,
    DifferenceEvent,
    FeeTerms,
    Match,
    Run,
    Settlement,
    SettlementLine,
    StatementFile,
    StatementLine,
)
from tests.support.factories import (
    EventFactory,
    MerchantFactory,
    OperationFactory,
    UnguardedFactory,
    UserFactory,
    bank_reference,
)

DAY = date(2026, 11, 21)
_A_DAY = timedelta(days=1)


def _now() -> datetime:
    return datetime.now(UTC)


class StatementFileFactory(UnguardedFactory[StatementFile]):
    """A file of one UTC day, `day`."""

    class Meta:
        model = StatementFile

    class Params:
        day = DAY

    bank = "ficmart"
    sha256 = LazyFunction(lambda: uuid4().hex + uuid4().hex)
    name = LazyAttribute(lambda made: f"{made.bank}-{made.day}.csv")
    form = "csv"
    covers_from = LazyAttribute(lambda made: begin_of(made.day))
    covers_to = LazyAttribute(lambda made: begin_of(made.day + _A_DAY))
    lines = 1
    new_lines = SelfAttribute("lines")
    actor = "operator"


class StatementLineFactory(UnguardedFactory[StatementLine]):
    """A hold unless told otherwise, at noon of the file's day. `of`: shows this operation in every part."""

    class Meta:
        model = StatementLine

    class Params:
        of = None

    file = SubFactory(StatementFileFactory)
    number = Sequence(lambda number: number + 2)  # the first line of a CSV file is its header
    bank = SelfAttribute("file.bank")
    kind = LazyAttribute(
        lambda made: _line_kind(made.of.kind) if made.of is not None else OperationKind.AUTHORIZE
    )
    reference = LazyAttribute(lambda made: (made.of and made.of.bank_reference) or bank_reference(made.kind))
    target_reference = LazyAttribute(
        lambda made: (
            made.of.target_reference
            if made.of is not None
            else (bank_reference(NAMES[made.kind]) if made.kind in NAMES else "")
        )
    )
    amount_minor = LazyAttribute(lambda made: made.of.amount_minor if made.of is not None else 5000)
    currency = LazyAttribute(lambda made: made.of.currency if made.of is not None else "USD")
    at = LazyAttribute(lambda made: made.file.covers_from + timedelta(hours=12))


def _line_kind(kind: str) -> str:
    """A release is a void in the bank's books."""
    return OperationKind.VOID if kind == OperationKind.RELEASE else kind


class MatchFactory(UnguardedFactory[Match]):
    class Meta:
        model = Match

    operation = SubFactory(OperationFactory, succeeded=True)
    line = SubFactory(StatementLineFactory, of=SelfAttribute("..operation"))


class RunFactory(UnguardedFactory[Run]):
    """A run that has ended and found nothing."""

    class Meta:
        model = Run

    kind = Run.Kind.STATEMENTS
    bank = "ficmart"
    actor = "operator"
    started_at = LazyFunction(_now)
    ended_at = LazyAttribute(lambda made: made.started_at + timedelta(seconds=3))
    covers_from = LazyFunction(lambda: begin_of(DAY))
    covers_to = LazyFunction(lambda: begin_of(DAY + _A_DAY))
    counts = LazyFunction(dict)


def _subject(made: Any) -> str:
    if made.line is not None:
        return f"line:{made.line.pk}"
    if made.operation is not None:
        return f"op:{made.operation.pk.hex}"
    return f"day:{made.happened_at:%Y-%m-%d}"


class DifferenceFactory(UnguardedFactory[Difference]):
    """An open case of a line, by default an orphan hold; of an operation or a day with `line=None`."""

    class Meta:
        model = Difference

    class Params:
        assigned = Trait(state=Difference.State.ASSIGNED, owner=SubFactory(UserFactory))
        resolved = Trait(state=Difference.State.RESOLVED, closed_at=LazyFunction(_now))
        accepted = Trait(
            state=Difference.State.ACCEPTED, closed_at=LazyFunction(_now), reason="The bank wrote it off."
        )

    kind = Difference.Kind.ORPHAN_HOLD
    line = SubFactory(StatementLineFactory)
    operation = None
    bank = LazyAttribute(lambda made: (made.line or made.operation).bank)
    subject = LazyAttribute(_subject)
    payment = LazyAttribute(lambda made: made.operation and made.operation.payment)
    merchant = LazyAttribute(lambda made: made.payment and made.payment.merchant)
    amount_minor = LazyAttribute(lambda made: (made.line or made.operation).amount_minor)
    currency = LazyAttribute(lambda made: (made.line or made.operation).currency)
    happened_at = LazyAttribute(lambda made: made.line.at if made.line else _now())


class DifferenceEventFactory(UnguardedFactory[DifferenceEvent]):
    class Meta:
        model = DifferenceEvent

    difference = SubFactory(DifferenceFactory)
    type = DifferenceEvent.Type.OPENED
    actor = "operator"


class FeeTermsFactory(UnguardedFactory[FeeTerms]):
    """2.9% and 30 minor units, since long ago."""

    class Meta:
        model = FeeTerms

    merchant = SubFactory(MerchantFactory)
    mode = Mode.LIVE
    currency = "USD"
    basis_points = 290
    fixed_minor = 30
    valid_from = datetime(2026, 1, 1, tzinfo=UTC)


class SettlementFactory(UnguardedFactory[Settlement]):
    """The settlement of one day. What it pays and carries follows from its other sums."""

    class Meta:
        model = Settlement

    class Params:
        balance = LazyAttribute(
            lambda made: (
                made.captured_minor
                - made.refunded_minor
                - made.fees_minor
                + made.corrected_minor
                + made.brought_forward_minor
            )
        )

    id = LazyFunction(new_id)
    merchant = SubFactory(MerchantFactory)
    mode = Mode.LIVE
    bank = "ficmart"
    currency = "USD"
    date = Sequence(lambda number: DAY + number * _A_DAY)  # one a day; a test that cares passes it
    captured_minor = 5000
    refunded_minor = 0
    fees_minor = 0
    corrected_minor = 0
    brought_forward_minor = 0
    amount_minor = LazyAttribute(lambda made: max(made.balance, 0))
    carried_forward_minor = LazyAttribute(lambda made: min(made.balance, 0))
    event = SubFactory(EventFactory, payment=None, type=Event.Type.SETTLEMENT_CREATED, actor="worker")


class CorrectionFactory(UnguardedFactory[Correction]):
    """A correction in the merchant's favor."""

    class Meta:
        model = Correction

    of_settlement = SubFactory(SettlementFactory)
    merchant = SelfAttribute("of_settlement.merchant")
    mode = SelfAttribute("of_settlement.mode")
    bank = SelfAttribute("of_settlement.bank")
    currency = SelfAttribute("of_settlement.currency")
    amount_minor = 100
    reason = "The bank reported another fee."
    actor = "staff:kim"
    event = SubFactory(EventFactory, payment=None, type=Event.Type.SETTLEMENT_CORRECTED)


class SettlementLineFactory(UnguardedFactory[SettlementLine]):
    """The line of an operation, signed by its kind. With `operation=None`, of a `correction`."""

    class Meta:
        model = SettlementLine

    settlement = SubFactory(SettlementFactory)
    operation = SubFactory(OperationFactory, kind=OperationKind.CAPTURE, succeeded=True)
    correction = None
    amount_minor = LazyAttribute(
        lambda made: (
            made.correction.amount_minor
            if made.operation is None
            else (-1 if made.operation.kind == OperationKind.REFUND else 1) * made.operation.amount_minor
        )
    )
