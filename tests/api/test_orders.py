"""Whether an order's goods may leave, and what is shown of its payments."""

from datetime import UTC, datetime, timedelta

from payments.domain.states import OperationKind, OperationState, PaymentState
from tests.support.api_client import ApiClient
from tests.support.factories import OperationFactory, PaymentFactory

SHIPPABLE = {PaymentState.AUTHORIZED, PaymentState.CAPTURED}


class TestOrderStatus:
    def test_it_is_ready_to_ship_when_the_money_is_held_or_taken(self, mistaken: ApiClient) -> None:
        for state in PaymentState:
            payment = PaymentFactory(state=state, order_id=state)
            answer = mistaken.get(f"/orders/{state}").json
            assert answer["ready_to_ship"] is (state in SHIPPABLE), state
            assert answer["order_id"] == state
            assert state.value in answer["reason"], state
            assert answer["payment"]["id"] == payment.public_id, state
            assert answer["payments"] == [answer["payment"]], state

    def test_any_doubt_keeps_the_goods_here(self, mistaken: ApiClient) -> None:
        for doubt in (OperationState.OPEN, OperationState.NEEDS_REVIEW):
            for state, kind in (
                (PaymentState.PENDING, OperationKind.AUTHORIZE),
                (PaymentState.AUTHORIZED, OperationKind.CAPTURE),
                (PaymentState.AUTHORIZED, OperationKind.VOID),
                (PaymentState.CAPTURED, OperationKind.REFUND),
            ):
                order_id = f"{kind}-{doubt}"
                OperationFactory(
                    payment=PaymentFactory(state=state, order_id=order_id), kind=kind, state=doubt
                )
                answer = mistaken.get(f"/orders/{order_id}").json
                assert answer["ready_to_ship"] is False, order_id
                assert answer["payment"]["pending_operation"] == kind.value, order_id
                assert answer["payment"]["money_moved"] == "unknown", order_id

    def test_a_finished_operation_and_a_release_are_no_doubt(self, mistaken: ApiClient) -> None:
        payment = PaymentFactory(captured=True, order_id="o-1")
        OperationFactory(payment=payment, kind=OperationKind.REFUND, not_executed=True)
        OperationFactory(payment=payment, kind=OperationKind.RELEASE)
        assert mistaken.get("/orders/o-1").json["ready_to_ship"] is True

    def test_a_hold_that_has_run_out_is_not_enough(self, mistaken: ApiClient) -> None:
        for left, ready in ((timedelta(minutes=1), True), (timedelta(seconds=-1), False)):
            expires_at = datetime.now(UTC) + left
            PaymentFactory(authorized=True, order_id=f"o-{ready}", authorization_expires_at=expires_at)
            assert mistaken.get(f"/orders/o-{ready}").json["ready_to_ship"] is ready

    def test_the_live_payment_is_shown_before_newer_ones(self, mistaken: ApiClient) -> None:
        noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
        old = PaymentFactory(declined=True, order_id="o-1", created_at=noon - timedelta(hours=1))
        new = PaymentFactory(failed=True, order_id="o-1", created_at=noon + timedelta(hours=1))
        live = PaymentFactory(authorized=True, order_id="o-1", created_at=noon)
        answer = mistaken.get("/orders/o-1").json
        assert answer["payment"]["id"] == live.public_id
        assert [each["id"] for each in answer["payments"]] == [each.public_id for each in (new, live, old)]

    def test_without_a_live_payment_the_newest_is_shown(self, mistaken: ApiClient) -> None:
        noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
        PaymentFactory(voided=True, order_id="o-1", created_at=noon)
        new = PaymentFactory(declined=True, order_id="o-1", created_at=noon + timedelta(hours=1))
        answer = mistaken.get("/orders/o-1").json
        assert (answer["payment"]["id"], answer["ready_to_ship"]) == (new.public_id, False)

    def test_an_order_nobody_has_heard_of_is_a_404(self, mistaken: ApiClient) -> None:
        assert mistaken.get("/orders/nothing").status == 404

    def test_an_id_of_any_visible_characters_has_an_address(self, mistaken: ApiClient) -> None:
        addresses = {"a/b": "a/b", "a?b#c%20": "a%3Fb%23c%2520", "a/": "a/", "x" * 64: "x" * 64}
        for order_id, address in addresses.items():
            PaymentFactory(order_id=order_id)
            assert mistaken.get(f"/orders/{address}").json["order_id"] == order_id
