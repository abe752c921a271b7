"""A payment's history, as a merchant reads it."""

from payments.models import Event
from tests.support.api_client import ApiClient
from tests.support.factories import EventFactory, OperationFactory, PaymentFactory
from tests.support.simulated_bank import SimulatedBank


class TestEvents:
    def test_every_step_of_a_payment_is_told_in_order(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = live.authorized()
        live.post(f"/payments/{payment['id']}/capture", {"reason": "shipped"}, **{"X-Request-ID": "ship-1"})
        live.post(f"/payments/{payment['id']}/refund")
        events = live.get(f"/payments/{payment['id']}/events").json["results"]
        assert [event["type"] for event in events] == [
            "payment.created",
            "payment.authorized",
            "capture.requested",
            "payment.captured",
            "refund.requested",
            "payment.refunded",
        ]
        assert {event["actor"] for event in events} == {"merchant"}
        assert [event["reason"] for event in events] == [None, None, "shipped", "shipped", None, None]
        assert events[2]["request_id"] == events[3]["request_id"] == "ship-1"
        assert len({event["operation_id"] for event in events}) == 3
        assert [event["at"] for event in events] == sorted(event["at"] for event in events)

    def test_who_acted_is_said_and_no_more(self, mistaken: ApiClient) -> None:
        payment = PaymentFactory()
        operation = OperationFactory(payment=payment)
        for actor in ("api_key:7", "staff:ann", "system"):
            EventFactory(
                payment=payment,
                type=Event.Type.PAYMENT_CREATED,
                operation=operation,
                actor=actor,
                evidence={"reply": "prose"},
            )
        answer = mistaken.get(f"/payments/{payment.public_id}/events")
        assert [event["actor"] for event in answer.json["results"]] == ["merchant", "staff", "system"]
        assert not any(word in answer.body.decode() for word in ("ann", "prose", "api_key"))

    def test_a_payment_without_events_has_none(self, mistaken: ApiClient) -> None:
        assert mistaken.get(f"/payments/{PaymentFactory().public_id}/events").json == {"results": []}

    def test_anothers_events_are_not_shown(self, mistaken: ApiClient) -> None:
        own, other = PaymentFactory(), PaymentFactory()
        EventFactory(payment=other, type=Event.Type.PAYMENT_CREATED)
        assert mistaken.get(f"/payments/{own.public_id}/events").json == {"results": []}
