"""Payments and a bank's ledger that agree, and stories in which they do not.

    planted = Planted(merchant)
    planted.tell("captured_outside", at=noon, amount=4999)
    planted.write()                     # our books
    planted.deliver(day, ...)           # statement files of these UTC days
    assert found == planted.differences()

A story knows which differences it is: a test knows the truth before anything is compared.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Model

from payments.domain.states import OperationKind, OperationState, PaymentState
from payments.models import Event, Merchant, Operation, Payment
from reconciliation.models import StatementLine
from tests.support.book_factories import StatementFileFactory
from tests.support.factories import (
    EventFactory,
    OperationFactory,
    PaymentFactory,
    bank_reference,
)
from tests.support.unguarded import unguarded

A, C, V, R = OperationKind.AUTHORIZE, OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND
_EVENTS = {
    A: Event.Type.PAYMENT_AUTHORIZED,
    C: Event.Type.PAYMENT_CAPTURED,
    V: Event.Type.PAYMENT_VOIDED,
    R: Event.Type.PAYMENT_REFUNDED,
    OperationKind.RELEASE: Event.Type.RELEASE_SUCCEEDED,
}
_SECOND = timedelta(seconds=1)


class Planted:
    """One bank's payments and ledger, in memory until they are written."""

    def __init__(self, merchant: Merchant, bank: str = "ficmart") -> None:
        self.merchant, self.bank = merchant, bank
        self.payments: list[Payment] = []
        self.operations: list[Operation] = []
        self.events: list[Event] = []
        self.lines: dict[date, list[StatementLine]] = defaultdict(list)
        self._planted: list[tuple[str, Model]] = []

    def tell(self, story: str, *, at: datetime, amount: int) -> None:
        """Let the story happen. `at` is when it begins (UTC), `amount` in minor units."""
        STORIES[story](self, at, amount)

    # Our books.

    def payment(self, at: datetime, amount: int, state: PaymentState) -> Payment:
        """A payment with its hold, which the bank's ledger has too."""
        payment = PaymentFactory.build(
            merchant=self.merchant,
            bank=self.bank,
            amount_minor=amount,
            state=state,
            at=at,
            created_at=at,
        )
        self.payments.append(payment)
        return payment

    def held(self, at: datetime, amount: int, state: PaymentState) -> Payment:
        """A payment whose hold is on both sides."""
        payment = self.payment(at, amount, state)
        self.line_of(self.step(payment, A, at))
        return payment

    def step(
        self,
        payment: Payment | None,
        kind: OperationKind,
        at: datetime,
        state: str = "SUCCEEDED",
        **columns: Any,
    ) -> Operation:
        """An operation, with the event of its success."""
        operation = OperationFactory.build(
            payment=payment,
            bank=self.bank,
            kind=kind,
            state=state,
            created_at=at,
            lease_expires_at=at,
            **({"finished_at": at + _SECOND} if state not in ("OPEN", "NEEDS_REVIEW") else {}),
            **columns,
        )
        self.operations.append(operation)
        if state == OperationState.SUCCEEDED:
            self.events.append(
                EventFactory.build(
                    payment=payment, operation=operation, type=_EVENTS[kind], at=operation.finished_at
                )
            )
        return operation

    # The bank's ledger.

    def line_of(self, operation: Operation, **changes: Any) -> StatementLine:
        """The line that shows the operation, or nearly so."""
        kind = V if operation.kind == OperationKind.RELEASE else OperationKind(operation.kind)
        return self.line(
            **{
                "kind": kind,
                "reference": operation.bank_reference or bank_reference(kind),
                "target_reference": operation.target_reference,
                "amount_minor": operation.amount_minor,
                "at": operation.created_at,
            }
            | changes
        )

    def line(self, *, kind: OperationKind, at: datetime, amount_minor: int, **columns: Any) -> StatementLine:
        line = StatementLine(
            **{
                "bank": self.bank,
                "kind": kind,
                "reference": bank_reference(kind),
                "amount_minor": amount_minor,
                "currency": "USD",
                "at": at,
            }
            | columns
        )
        self.lines[at.astimezone(UTC).date()].append(line)
        return line

    def plant(self, kind: str, about: Model) -> None:
        """This line or operation is such a difference."""
        self._planted.append((kind, about))

    # Both into the database.

    def write(self) -> None:
        """Our books."""
        with unguarded():
            for rows in (self.payments, self.operations, self.events):
                type(rows[0]).objects.bulk_create(rows) if rows else None
        self.payments, self.operations, self.events = [], [], []

    def deliver(self, *days: date) -> None:
        """A statement file for each of these UTC days, with what the ledger has of them."""
        with unguarded():
            for day in days:
                lines = sorted(self.lines.pop(day, []), key=lambda line: line.at)
                file = StatementFileFactory(bank=self.bank, day=day, lines=len(lines))
                for number, line in enumerate(lines, start=2):
                    line.file, line.number = file, number
                StatementLine.objects.bulk_create(lines)

    def differences(self) -> set[tuple[str, str]]:
        """The planted differences whose lines are delivered: their kinds and subjects."""
        return {
            (kind, f"line:{about.pk}" if isinstance(about, StatementLine) else f"op:{about.pk.hex}")
            for kind, about in self._planted
            if about.pk
        }


def days_between(first: date, last: date) -> list[date]:
    """The days from first to last, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


Story = Callable[[Planted, datetime, int], None]


def _captured(planted: Planted, at: datetime, amount: int) -> None:
    payment = planted.held(at, amount, PaymentState.CAPTURED)
    planted.line_of(planted.step(payment, C, at + 2 * _SECOND))


def _refunded(planted: Planted, at: datetime, amount: int) -> None:
    payment = planted.held(at, amount, PaymentState.REFUNDED)
    planted.line_of(planted.step(payment, C, at + 2 * _SECOND))
    planted.line_of(planted.step(payment, R, at + 3600 * _SECOND))


def _voided(planted: Planted, at: datetime, amount: int) -> None:
    payment = planted.held(at, amount, PaymentState.VOIDED)
    planted.line_of(planted.step(payment, V, at + 5 * _SECOND))


def _expired(planted: Planted, at: datetime, amount: int) -> None:
    payment = planted.held(at, amount, PaymentState.EXPIRED)
    planted.line_of(planted.step(payment, OperationKind.RELEASE, at + 9 * _SECOND))


def _declined(planted: Planted, at: datetime, amount: int) -> None:
    planted.step(planted.payment(at, amount, PaymentState.DECLINED), A, at, "DECLINED")


def _stamped_before_midnight(planted: Planted, at: datetime, amount: int) -> None:
    """The bank stamps a line before it commits: our time and the line's are of two days."""
    payment = planted.payment(at, amount, PaymentState.CAPTURED)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    planted.line_of(planted.step(payment, A, midnight), at=midnight - _SECOND)
    planted.line_of(planted.step(payment, C, midnight + 2 * _SECOND), at=midnight - _SECOND)


def _freed_hold(planted: Planted, at: datetime, amount: int) -> None:
    """A stray hold that was released."""
    hold = planted.line(kind=A, at=at, amount_minor=amount)
    planted.line_of(
        planted.step(
            None,
            OperationKind.RELEASE,
            at + 7 * _SECOND,
            target_reference=hold.reference,
            amount_minor=amount,
        )
    )


def _freed_by_the_bank(planted: Planted, at: datetime, amount: int) -> None:
    hold = planted.line(kind=A, at=at, amount_minor=amount)
    planted.line(kind=V, at=at + _SECOND, amount_minor=amount, target_reference=hold.reference)


def _missing_hold(planted: Planted, at: datetime, amount: int) -> None:
    operation = planted.step(planted.payment(at, amount, PaymentState.AUTHORIZED), A, at)
    planted.plant("missing_at_bank", operation)


def _missing_capture(planted: Planted, at: datetime, amount: int) -> None:
    payment = planted.held(at, amount, PaymentState.CAPTURED)
    planted.plant("missing_at_bank", planted.step(payment, C, at))


def _missing_refund(planted: Planted, at: datetime, amount: int) -> None:
    payment = planted.held(at, amount, PaymentState.REFUNDED)
    planted.line_of(planted.step(payment, C, at))
    planted.plant("missing_at_bank", planted.step(payment, R, at))


def _missing_void(planted: Planted, at: datetime, amount: int) -> None:
    payment = planted.held(at, amount, PaymentState.VOIDED)
    planted.plant("missing_at_bank", planted.step(payment, V, at))


def _unknown(kind: OperationKind) -> Story:
    def story(planted: Planted, at: datetime, amount: int) -> None:
        target = bank_reference(C if kind is R else A)
        line = planted.line(kind=kind, at=at, amount_minor=amount, target_reference=target)
        planted.plant("missing_in_books", line)

    return story


def _capture_of_stray_hold(planted: Planted, at: datetime, amount: int) -> None:
    hold = planted.line(kind=A, at=at, amount_minor=amount)
    line = planted.line(kind=C, at=at + _SECOND, amount_minor=amount, target_reference=hold.reference)
    planted.plant("missing_in_books", line)


def _other_amount(kind: OperationKind) -> Story:
    def story(planted: Planted, at: datetime, amount: int) -> None:
        payment = planted.payment(at, amount, PaymentState.REFUNDED)
        for one in (A, C, R):
            operation = planted.step(payment, one, at)
            planted.line_of(operation, amount_minor=amount + (one is kind))
            if one is kind:
                planted.plant("amount_mismatch", operation)

    return story


def _other_currency(planted: Planted, at: datetime, amount: int) -> None:
    payment = planted.held(at, amount, PaymentState.CAPTURED)
    operation = planted.step(payment, C, at)
    planted.line_of(operation, currency="EUR")
    planted.plant("currency_mismatch", operation)


def _other_hold(planted: Planted, at: datetime, amount: int) -> None:
    """Our capture's reference stands at another hold."""
    payment = planted.held(at, amount, PaymentState.CAPTURED)
    operation = planted.step(payment, C, at)
    planted.plant("missing_in_books", planted.line_of(operation, target_reference=bank_reference(A)))


def _other_amount_under_review(planted: Planted, at: datetime, amount: int) -> None:
    payment = planted.held(at, amount, PaymentState.AUTHORIZED)
    operation = planted.step(payment, C, at, "NEEDS_REVIEW")
    planted.line_of(operation, amount_minor=amount + 1)
    planted.plant("amount_mismatch", operation)


def _done_though_not(kind: OperationKind, state: str) -> Story:
    """The bank did what our books call not done."""

    def story(planted: Planted, at: datetime, amount: int) -> None:
        resting = PaymentState.CAPTURED if kind is R else PaymentState.AUTHORIZED
        payment = planted.held(at, amount, resting)
        if kind is R:
            planted.line_of(planted.step(payment, C, at))
        operation = planted.step(payment, kind, at, state)
        planted.line_of(operation)
        planted.plant("state_mismatch", operation)

    return story


def _twice(kind: OperationKind) -> Story:
    """Two lines for one hold or capture, where the bank's ledger allows one."""

    def story(planted: Planted, at: datetime, amount: int) -> None:
        state = {C: PaymentState.CAPTURED, V: PaymentState.VOIDED, R: PaymentState.REFUNDED}[kind]
        payment = planted.held(at, amount, state)
        if kind is R:
            planted.line_of(planted.step(payment, C, at))
        operation = planted.step(payment, kind, at)
        planted.line_of(operation)
        again = planted.line_of(operation, reference=bank_reference(kind), at=at + 60 * _SECOND)
        planted.plant("duplicate_at_bank", again)

    return story


def _repeated(planted: Planted, at: datetime, amount: int) -> None:
    """The file had the very same line twice."""
    payment = planted.held(at, amount, PaymentState.CAPTURED)
    planted.plant("duplicate_at_bank", planted.line_of(planted.step(payment, C, at), repeats=1))


def _other_contents(planted: Planted, at: datetime, amount: int) -> None:
    """The reference of a matched line once more, with another amount."""
    payment = planted.held(at, amount, PaymentState.CAPTURED)
    operation = planted.step(payment, C, at)
    planted.line_of(operation)
    planted.plant("duplicate_at_bank", planted.line_of(operation, amount_minor=amount + 1, at=at + _SECOND))


def _orphan_hold(planted: Planted, at: datetime, amount: int) -> None:
    planted.plant("orphan_hold", planted.line(kind=A, at=at, amount_minor=amount))


def _second_hold(planted: Planted, at: datetime, amount: int) -> None:
    """A silent attempt made a hold of its own."""
    planted.held(at, amount, PaymentState.AUTHORIZED)
    planted.plant("orphan_hold", planted.line(kind=A, at=at + _SECOND, amount_minor=amount))


def _outside(kind: OperationKind, what: str) -> Story:
    def story(planted: Planted, at: datetime, amount: int) -> None:
        payment = planted.held(at, amount, PaymentState.CAPTURED if kind is R else PaymentState.AUTHORIZED)
        target = payment.bank_authorization_id
        if kind is R:
            planted.line_of(planted.step(payment, C, at))
            target = payment.bank_capture_id
        line = planted.line(kind=kind, at=at + _SECOND, amount_minor=amount, target_reference=target)
        planted.plant(what, line)

    return story


AGREEING: dict[str, Story] = {
    "captured": _captured,
    "refunded": _refunded,
    "voided": _voided,
    "expired": _expired,
    "declined": _declined,
    "stamped_before_midnight": _stamped_before_midnight,
    "freed_hold": _freed_hold,
    "freed_by_the_bank": _freed_by_the_bank,
}
DIFFERING: dict[str, Story] = {
    "missing_hold": _missing_hold,
    "missing_capture": _missing_capture,
    "missing_refund": _missing_refund,
    "missing_void": _missing_void,
    "unknown_capture": _unknown(C),
    "unknown_void": _unknown(V),
    "unknown_refund": _unknown(R),
    "capture_of_stray_hold": _capture_of_stray_hold,
    "other_amount_of_hold": _other_amount(A),
    "other_amount_of_capture": _other_amount(C),
    "other_amount_of_refund": _other_amount(R),
    "other_currency": _other_currency,
    "other_hold": _other_hold,
    "other_amount_under_review": _other_amount_under_review,
    "captured_though_not": _done_though_not(C, "NOT_EXECUTED"),
    "captured_though_rejected": _done_though_not(C, "REJECTED"),
    "voided_though_not": _done_though_not(V, "NOT_EXECUTED"),
    "refunded_though_not": _done_though_not(R, "NOT_EXECUTED"),
    "captured_twice": _twice(C),
    "voided_twice": _twice(V),
    "refunded_twice": _twice(R),
    "repeated": _repeated,
    "other_contents": _other_contents,
    "orphan_hold": _orphan_hold,
    "second_hold": _second_hold,
    "captured_outside": _outside(C, "captured_outside"),
    "voided_outside": _outside(V, "voided_outside"),
    "refunded_outside": _outside(R, "refunded_outside"),
}
STORIES: dict[str, Story] = AGREEING | DIFFERING


def every_story(planted: Planted, times: Iterable[datetime], *, among: Iterable[str]) -> None:
    """Tell these stories one after the other, again and again, one at each time."""
    names = list(among)
    for number, at in enumerate(times):
        planted.tell(names[number % len(names)], at=at, amount=1000 + number % 5000)
