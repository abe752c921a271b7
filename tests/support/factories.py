"""Rows for tests, one factory a noun. A test passes what it cares about; the rest is valid.

    payment = PaymentFactory(captured=True, card_last4="4242")
    capture = OperationFactory(payment=payment, kind=OperationKind.CAPTURE, succeeded=True)
    AttemptFactory(operation=capture, silent=True)
    EventFactory(payment=payment, type=Event.Type.PAYMENT_CAPTURED, operation=capture)

A state brings its columns with it. A factory makes one row and what that row points at: a captured payment
has no operations and no events unless the test makes them. In life the database refuses that, so the guards
of transitions are off while a factory writes. The rules of a single row hold even then.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import factory
from django.contrib.auth.models import User
from django.db.models import Model
from factory import LazyAttribute, LazyFunction, SelfAttribute, Sequence, SubFactory, Trait
from factory.django import DjangoModelFactory

from payments.domain.ids import new_id
from payments.domain.replies import Said
from payments.domain.states import (
    FINISHED_OPERATIONS,
    Mode,
    OperationKind,
    OperationState,
    PaymentState,
    since,
)
from payments.models import (
    ApiKey,
    ApiRequest,
    Attempt,
    Discrepancy,
    Event,
    IdempotencyKey,
    Merchant,
    Operation,
    Payment,
    Resolution,
)
from payments.usecases.merchants import create_merchant
from tests.support.unguarded import unguarded

Row = TypeVar("Row", bound=Model)

BANK_PREFIXES = {
    OperationKind.AUTHORIZE: "auth_",
    OperationKind.CAPTURE: "cap_",
    OperationKind.VOID: "void_",
    OperationKind.RELEASE: "void_",
    OperationKind.REFUND: "ref_",
}
_HOLD_LASTS = timedelta(days=7)  # as the bank's contract has it
_LEASE_LASTS = timedelta(seconds=45)
_CALL_LASTS = timedelta(milliseconds=120)


def bank_reference(kind: OperationKind) -> str:
    """A new id as the bank makes them: `auth_` and a lower-case UUID, and so on."""
    return f"{BANK_PREFIXES.get(kind, '')}{uuid4()}"


def _now() -> datetime:
    return datetime.now(UTC)


class UnguardedFactory(DjangoModelFactory[Row]):
    """Writes with the guards off."""

    class Meta:
        abstract = True

    @classmethod
    def _create(cls, model_class: type[Row], *args: Any, **columns: Any) -> Row:
        with unguarded():
            row: Row = super()._create(model_class, *args, **columns)
            return row


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User
        django_get_or_create = ("username",)

    username = "kim"


class MerchantFactory(DjangoModelFactory[Merchant]):
    """The merchant of that slug, with its routes; the same one for the same slug."""

    class Meta:
        model = Merchant

    slug = "ficmart"
    name = "FicMart"

    @classmethod
    def _create(cls, _model: type[Merchant], *_: Any, slug: str, name: str, **columns: Any) -> Merchant:
        merchant = create_merchant(slug=slug, name=name)
        if columns:
            Merchant.objects.filter(pk=merchant.pk).update(**columns)
            return Merchant.objects.get(pk=merchant.pk)
        return merchant


class ApiKeyFactory(DjangoModelFactory[ApiKey]):
    """A key in force. A test that sends it passes its `plain` text, which no row keeps."""

    class Meta:
        model = ApiKey

    class Params:
        plain = LazyAttribute(lambda made: ApiKey.generate(made.mode))

    merchant = SubFactory(MerchantFactory)
    mode = Mode.LIVE
    digest = LazyAttribute(lambda made: ApiKey.digest_of(made.plain))
    last4 = LazyAttribute(lambda made: made.plain[-4:])


class PaymentFactory(UnguardedFactory[Payment]):
    """`at` dates the states that it has come to (now, UTC).

    A column of a state that it has not come to stays empty, also where a test passes one: so a test can pass
    the same columns for every state.
    """

    class Meta:
        model = Payment

    class Params:
        at = LazyFunction(_now)
        authorized = Trait(state=PaymentState.AUTHORIZED)
        captured = Trait(state=PaymentState.CAPTURED)
        refunded = Trait(state=PaymentState.REFUNDED)
        voided = Trait(state=PaymentState.VOIDED)
        expired = Trait(state=PaymentState.EXPIRED)
        declined = Trait(state=PaymentState.DECLINED)
        failed = Trait(state=PaymentState.FAILED)

    id = LazyFunction(new_id)
    merchant = SubFactory(MerchantFactory)
    mode = Mode.LIVE
    bank = "ficmart"
    order_id = LazyAttribute(lambda made: f"order-{made.id.hex[:12]}")
    customer_id = "customer-1"
    amount_minor = 5000
    currency = "USD"
    card_brand = "visa"
    card_last4 = "1111"
    card_expiry_month = 12
    card_expiry_year = 2030
    state = PaymentState.PENDING

    bank_authorization_id = LazyFunction(lambda: bank_reference(OperationKind.AUTHORIZE))
    authorization_expires_at = LazyAttribute(lambda made: made.at + _HOLD_LASTS)
    authorized_at = SelfAttribute("at")
    bank_capture_id = LazyFunction(lambda: bank_reference(OperationKind.CAPTURE))
    captured_minor = SelfAttribute("amount_minor")
    captured_at = SelfAttribute("at")
    # A part that was given back leaves the payment CAPTURED.
    refunded_minor = LazyAttribute(
        lambda made: made.captured_minor if made.state == PaymentState.REFUNDED else 0
    )
    bank_refund_id = LazyFunction(lambda: bank_reference(OperationKind.REFUND))
    refunded_at = SelfAttribute("at")
    bank_void_id = LazyFunction(lambda: bank_reference(OperationKind.VOID))
    voided_at = SelfAttribute("at")
    expired_at = SelfAttribute("at")
    decline_code = "insufficient_funds"
    declined_at = SelfAttribute("at")
    failed_at = SelfAttribute("at")

    @classmethod
    def _adjust_kwargs(cls, **columns: Any) -> dict[str, Any]:
        for state, names in COMES_WITH.items():
            if columns["state"] not in since(state):
                columns = {name: value for name, value in columns.items() if name not in names}
        if not columns.get("refunded_minor"):
            columns.pop("bank_refund_id", None)
        return columns


COMES_WITH = {
    PaymentState.AUTHORIZED: ("bank_authorization_id", "authorization_expires_at", "authorized_at"),
    PaymentState.CAPTURED: (
        *("bank_capture_id", "captured_minor", "captured_at"),
        *("refunded_minor", "bank_refund_id"),
    ),
    PaymentState.REFUNDED: ("refunded_at",),
    PaymentState.VOIDED: ("bank_void_id", "voided_at"),
    PaymentState.EXPIRED: ("expired_at",),
    PaymentState.DECLINED: ("decline_code", "declined_at"),
    PaymentState.FAILED: ("failed_at",),
}


def _target(made: Any) -> str:
    """What the operation is about, in the bank's words."""
    if made.kind == OperationKind.AUTHORIZE:
        return ""
    if made.kind == OperationKind.REFUND:
        return (made.payment and made.payment.bank_capture_id) or bank_reference(OperationKind.CAPTURE)
    return (made.payment and made.payment.bank_authorization_id) or bank_reference(OperationKind.AUTHORIZE)


def _reference(made: Any) -> str:
    """The reference of what the operation made, as its payment has it."""
    columns = {
        OperationKind.AUTHORIZE: "bank_authorization_id",
        OperationKind.CAPTURE: "bank_capture_id",
        OperationKind.VOID: "bank_void_id",
        OperationKind.REFUND: "bank_refund_id",
    }
    known = made.payment and made.kind in columns and getattr(made.payment, columns[made.kind])
    return known or bank_reference(made.kind)


_CODES = {
    OperationState.DECLINED: "insufficient_funds",
    OperationState.REJECTED: "authorization_expired",
    OperationState.NOT_EXECUTED: "bank_unavailable",
}


class OperationFactory(UnguardedFactory[Operation]):
    """An operation without attempts and events; an authorize unless told otherwise.

    `payment=None`: a release of a hold that no payment claims. The columns of an outcome stay empty where the
    state has none.
    """

    class Meta:
        model = Operation

    class Params:
        needs_review = Trait(state=OperationState.NEEDS_REVIEW)
        succeeded = Trait(state=OperationState.SUCCEEDED)
        declined = Trait(state=OperationState.DECLINED)
        rejected = Trait(state=OperationState.REJECTED)
        not_executed = Trait(state=OperationState.NOT_EXECUTED)

    payment = SubFactory(PaymentFactory)
    kind = OperationKind.AUTHORIZE
    state = OperationState.OPEN
    bank = LazyAttribute(lambda made: made.payment.bank if made.payment else "ficmart")
    amount_minor = LazyAttribute(lambda made: made.payment.amount_minor if made.payment else 5000)
    currency = LazyAttribute(lambda made: made.payment.currency if made.payment else "USD")
    target_reference = LazyAttribute(_target)
    bank_idempotency_key = LazyFunction(lambda: uuid4().hex)
    lease_expires_at = LazyFunction(lambda: _now() + _LEASE_LASTS)
    actor = "api_key:1"
    request_id = "request-1"
    finished_at = LazyFunction(_now)
    bank_reference = LazyAttribute(_reference)
    outcome_code = LazyAttribute(lambda made: _CODES.get(made.state, ""))

    @classmethod
    def _adjust_kwargs(cls, **columns: Any) -> dict[str, Any]:
        state = columns["state"]
        if state not in FINISHED_OPERATIONS:
            del columns["finished_at"]
        if state != OperationState.SUCCEEDED:
            del columns["bank_reference"]
        if state not in _CODES:
            del columns["outcome_code"]
        return columns


def _by_result(values: dict[Attempt.Result, Any], otherwise: Any = None) -> LazyAttribute:
    """What comes with the attempt's result, if it has ended."""
    return LazyAttribute(lambda made: values.get(made.result, otherwise))


class AttemptFactory(UnguardedFactory[Attempt]):
    """An attempt that was answered with success after 120 ms. `unended`: no end is recorded."""

    class Meta:
        model = Attempt

    class Params:
        silent = Trait(result=Attempt.Result.SILENT)
        not_sent = Trait(result=Attempt.Result.NOT_SENT)
        unended = Trait(result="")

    operation = SubFactory(OperationFactory)
    number = 1
    epoch = SelfAttribute("operation.lease_epoch")
    started_at = LazyFunction(_now)
    result = Attempt.Result.ANSWERED
    ended_at = LazyAttribute(lambda made: made.started_at + _CALL_LASTS if made.result else None)
    duration_ms = LazyAttribute(lambda made: 120 if made.result else None)
    in_doubt = LazyAttribute(lambda made: made.result == Attempt.Result.SILENT if made.result else None)
    said = _by_result(
        {
            Attempt.Result.ANSWERED: Said.APPROVED,
            Attempt.Result.SILENT: Said.SILENCE,
            Attempt.Result.NOT_SENT: Said.NOT_SENT,
        },
        "",
    )
    reply = _by_result(
        {
            Attempt.Result.ANSWERED: "200",
            Attempt.Result.SILENT: "read timeout",
            Attempt.Result.NOT_SENT: "connection refused",
        },
        "",
    )
    http_status = _by_result({Attempt.Result.ANSWERED: 200})
    is_replay = _by_result({Attempt.Result.ANSWERED: False})
    bank_reference = LazyAttribute(
        lambda made: made.operation.bank_reference if made.result == Attempt.Result.ANSWERED else ""
    )


class EventFactory(UnguardedFactory[Event]):
    """An event of the payment, now unless `at` says when."""

    class Meta:
        model = Event

    payment = SubFactory(PaymentFactory)
    operation = None
    type = Event.Type.PAYMENT_CREATED
    actor = "api_key:1"
    request_id = "request-1"


class IdempotencyKeyFactory(UnguardedFactory[IdempotencyKey]):
    """A merchant's key for an operation; `answered`: with a stored response."""

    class Meta:
        model = IdempotencyKey

    class Params:
        answered = Trait(response_status=201, response_headers=factory.Dict({}), response_body=b"{}")

    operation = SubFactory(OperationFactory)
    merchant = SelfAttribute("operation.payment.merchant")
    mode = SelfAttribute("operation.payment.mode")
    key = Sequence(lambda number: f"key-{number}")
    fingerprint = "f"
    fingerprint_key_id = "new"


class DiscrepancyFactory(UnguardedFactory[Discrepancy]):
    """An open case of an operation."""

    class Meta:
        model = Discrepancy

    kind = Discrepancy.Kind.CONTRADICTION
    operation = SubFactory(OperationFactory, needs_review=True)
    payment = LazyAttribute(lambda made: made.operation.payment if made.operation else None)


class ResolutionFactory(UnguardedFactory[Resolution]):
    """A proposal about an operation. `operation=None`: about a payment, or a hold that no payment claims."""

    class Meta:
        model = Resolution

    class Params:
        applied = Trait(
            state=Resolution.State.APPLIED,
            decided_by=SelfAttribute("proposed_by"),
            decided_at=LazyFunction(_now),
        )

    kind = Resolution.Kind.RECORD_NOT_EXECUTED
    operation = SubFactory(OperationFactory, needs_review=True)
    payment = LazyAttribute(lambda made: made.operation.payment if made.operation else None)
    bank = "ficmart"
    amount_minor = 5000
    currency = "USD"
    reason = "they wrote"
    proposed_by = SubFactory(UserFactory)


class ApiRequestFactory(UnguardedFactory[ApiRequest]):
    """What a merchant asked of a payment, and the response's status."""

    class Meta:
        model = ApiRequest

    payment = SubFactory(PaymentFactory)
    kind = OperationKind.CAPTURE
    actor = "api_key:1"
    request_id = "request-1"
    status = 202
