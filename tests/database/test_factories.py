"""What the factories make is valid: single rows keep to the rules of their table, in every state."""

import pytest
from factory import Trait
from factory.django import DjangoModelFactory

from payments.domain.states import OperationKind, OperationState, PaymentState
from payments.models import Attempt
from tests.database.sql import one_by_one
from tests.support.factories import (
    ApiKeyFactory,
    ApiRequestFactory,
    AttemptFactory,
    DiscrepancyFactory,
    EventFactory,
    IdempotencyKeyFactory,
    MerchantFactory,
    OperationFactory,
    PaymentFactory,
    ResolutionFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

FACTORIES: list[type[DjangoModelFactory]] = [
    *(ApiKeyFactory, ApiRequestFactory, AttemptFactory, DiscrepancyFactory, EventFactory),
    *(IdempotencyKeyFactory, MerchantFactory, OperationFactory, PaymentFactory, ResolutionFactory),
    UserFactory,
]


def test_each_makes_a_row_by_itself_and_in_every_state_that_it_names() -> None:
    for made_by in one_by_one(FACTORIES):
        assert made_by().pk
    for made_by in FACTORIES:
        traits = [name for name, one in made_by._meta.parameters.items() if isinstance(one, Trait)]
        for trait in one_by_one(traits):
            assert made_by(**{trait: True}).pk


def test_a_payment_has_what_its_states_come_with_and_nothing_of_others() -> None:
    given = {"captured_minor": 4000, "bank_void_id": "void_1", "decline_code": "card_expired"}
    payments = {state: PaymentFactory(state=state, **given) for state in PaymentState}
    for state, payment in payments.items():
        dated = {one for one in PaymentState if getattr(payment, f"{one.lower()}_at", None)}
        road = {
            PaymentState.PENDING: set(),
            PaymentState.DECLINED: {"DECLINED"},
            PaymentState.FAILED: {"FAILED"},
        }.get(state, {"AUTHORIZED", state} | ({"CAPTURED"} if state == "REFUNDED" else set()))
        assert (payment.state, dated) == (state, road)
        is_captured = state in (PaymentState.CAPTURED, PaymentState.REFUNDED)
        assert payment.captured_minor == (4000 if is_captured else 0)
        assert payment.refunded_minor == (4000 if state == "REFUNDED" else 0)
        assert bool(payment.bank_void_id) is (state == "VOIDED")
        assert payment.decline_code == ("card_expired" if state == "DECLINED" else "")


def test_a_part_may_be_given_back() -> None:
    payment = PaymentFactory(captured=True, refunded_minor=1000)
    assert (payment.refundable_minor, payment.refunded_at) == (4000, None)
    assert payment.bank_refund_id.startswith("ref_")


def test_an_operation_is_about_what_its_payment_has_at_the_bank() -> None:
    payment = PaymentFactory(captured=True)
    capture = OperationFactory(payment=payment, kind=OperationKind.CAPTURE, succeeded=True)
    refund = OperationFactory(payment=payment, kind=OperationKind.REFUND)
    assert (capture.target_reference, capture.bank_reference) == (
        payment.bank_authorization_id,
        payment.bank_capture_id,
    )
    assert (refund.target_reference, refund.bank_reference) == (payment.bank_capture_id, "")
    for state in OperationState:
        made = OperationFactory(state=state)
        assert bool(made.outcome_code) is (state in ("DECLINED", "REJECTED", "NOT_EXECUTED"))


def test_an_attempt_says_what_its_result_says() -> None:
    made = [AttemptFactory(result=result) for result in ("", *Attempt.Result)]
    assert [(one.said, one.in_doubt) for one in made] == [
        ("", None),
        ("not_sent", False),
        ("silence", True),
        ("approved", False),
    ]
