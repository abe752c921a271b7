"""What a merchant was answered can be read on the payment's timeline, where no event tells of it."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.urls import reverse

from office.decisions import resolve
from office.decisions.evidence import Kind, Proposal
from payments.engine import request_log
from payments.models import ApiRequest, Event, Operation, Payment
from payments.models.clock import clock_in
from tests.conftest import forget_pace
from tests.office.decisions.cases import member
from tests.office.pages.conftest import Staff
from tests.support.api_client import ApiClient, order
from tests.support.leases import after_the_clients_bound
from tests.support.simulated_bank import SimulatedBank
from tests.support.unguarded import unguarded

pytestmark = pytest.mark.usefixtures("brief")


def noted() -> list[tuple[str, int, str, bool]]:
    return [(one.kind, one.status, one.code, one.is_replay) for one in ApiRequest.objects.order_by("id")]


class TestWhatIsNoted:
    def test_is_nothing_where_events_tell_it_all(self, live: ApiClient, bank: SimulatedBank) -> None:
        receipt = live.captured()
        live.post(f"/payments/{receipt['id']}/refund")
        assert noted() == []

    def test_is_every_replay_of_a_stored_response(self, live: ApiClient, bank: SimulatedBank) -> None:
        body = order()
        first = live.post("/payments", body, key="k")
        again = live.post("/payments", body, key="k")
        assert again.body == first.body
        assert noted() == [("authorize", 201, "", True)]
        request = ApiRequest.objects.get()
        assert request.operation == Operation.objects.get()
        assert request.actor.startswith("api_key:")
        assert request.request_id == again.headers["X-Request-Id"] != Operation.objects.get().request_id

    def test_is_an_unfinished_first_answer_and_what_retries_got(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        body = order()
        bank.script("authorizations", "drop_after")
        bank.script("authorizations", "fail_before", times=1000)
        assert live.post("/payments", body, key="k").status == 202
        assert live.post("/payments", body, key="k").status == 409
        bank.clear_script()
        forget_pace()
        after_the_clients_bound()
        assert live.post("/payments", body, key="k").status == 201  # brings the card, and goes on
        assert noted() == [
            ("authorize", 202, "", False),
            ("authorize", 409, "idempotency_key_in_use", False),
            ("authorize", 201, "", False),
        ]
        assert set(ApiRequest.objects.values_list("operation", flat=True)) == {Operation.objects.get().pk}

    def test_is_a_refusal_that_met_a_payment(self, live: ApiClient, bank: SimulatedBank) -> None:
        body = order()
        receipt = live.post("/payments", body).json
        address = f"/payments/{receipt['id']}"
        assert live.post(f"{address}/refund").status == 409
        assert live.post(f"{address}/capture", {"amount": 1}).status == 422
        assert live.post("/payments", body | {"customer_id": "else"}).status == 409
        bank.script("captures", "drop_before", times=1000)
        assert live.post(f"{address}/capture", key="c").status == 202
        assert live.post(f"{address}/void").status == 409
        assert live.post(f"{address}/void", key="c").status == 422
        capture = Operation.objects.get(kind="capture").pk
        assert [
            (one.kind, one.status, one.code, one.operation_id) for one in ApiRequest.objects.order_by("id")
        ] == [
            ("refund", 409, "invalid_transition", None),
            ("capture", 422, "amount_mismatch", None),
            ("authorize", 409, "order_already_has_payment", None),
            ("capture", 202, "", capture),
            ("void", 409, "operation_in_progress", capture),
            ("void", 422, "idempotency_key_reused", capture),
        ]
        assert set(ApiRequest.objects.values_list("payment", flat=True)) == {Payment.objects.get().pk}

    def test_is_that_nothing_was_executed(self, live: ApiClient, bank: SimulatedBank) -> None:
        bank.stop()
        assert live.post("/payments", order()).status == 503
        bank.restart()
        assert noted() == [("authorize", 503, "", False)]

    def test_is_nothing_of_another_merchants_or_of_no_payment(
        self, live: ApiClient, test_mode: ApiClient, bank: SimulatedBank
    ) -> None:
        receipt = live.authorized()
        assert test_mode.post(f"/payments/{receipt['id']}/capture").status == 404
        assert live.post("/payments", {}).status == 400
        assert noted() == []

    def test_is_nothing_that_staff_instruct(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = Payment.objects.get(order_id=live.authorized()["order_id"])
        bank.script("captures", "drop_before", times=1000)
        resolved = resolve.propose(member("kim"), Proposal(Kind.CAPTURE, "shipped", payment=payment))
        assert not resolved.is_done
        assert noted() == []
        assert Event.objects.filter(type="resolution.applied").exists()

    def test_is_given_up_rather_than_the_answer(self, live: ApiClient, bank: SimulatedBank) -> None:
        """The table is not to be written: the replay is answered all the same."""
        body = order()
        first = live.post("/payments", body, key="k")
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE payments_apirequest ADD CONSTRAINT never CHECK (false)")
        try:
            again = live.post("/payments", body, key="k")
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE payments_apirequest DROP CONSTRAINT never")
        assert (again.status, again.body) == (201, first.body)

    def test_is_kept_for_thirty_days(self, live: ApiClient, bank: SimulatedBank) -> None:
        body = order()
        for _ in range(4):
            live.post("/payments", body, key="k")
        with unguarded():
            ApiRequest.objects.filter(pk__in=ApiRequest.objects.values("pk")[:2]).update(
                responded_at=clock_in(-30 * 86400 - 1)
            )
        assert request_log.sweep(limit=1) == 1
        assert request_log.sweep(limit=10) == 1
        assert request_log.sweep(limit=10) == 0
        assert ApiRequest.objects.count() == 1

    def test_cannot_be_changed(self, live: ApiClient, bank: SimulatedBank) -> None:
        body = order()
        for _ in range(2):
            live.post("/payments", body, key="k")
        with pytest.raises(Exception, match="UPDATE of payments_apirequest is refused"):
            ApiRequest.objects.update(status=500)


class TestOnTheTimeline:
    @pytest.fixture
    def superuser(self, transactional_db: None) -> Staff:
        return Staff(User.objects.create_superuser("ada"))

    def test_stands_who_asked_for_what_and_what_they_were_told(
        self, live: ApiClient, bank: SimulatedBank, superuser: Staff
    ) -> None:
        body = order()
        receipt = live.post("/payments", body, key="k").json
        for _ in range(3):
            again = live.post("/payments", body, key="k")
        live.post(f"/payments/{receipt['id']}/refund")
        shown = superuser.page(Payment.objects.get())
        assert "API request to authorize first request Actor api_key:" in shown
        assert "API request to authorize, response 201 done Times 3 Last at" in shown
        assert "Response stored response, replayed byte for byte" in shown
        assert f"Request {again.headers['X-Request-Id']}" in shown
        assert "API request to refund, response 409 invalid transition" in shown

    def test_is_found_by_the_request_id_of_a_replay(
        self, live: ApiClient, bank: SimulatedBank, superuser: Staff
    ) -> None:
        live.authorized()
        body = order()
        live.post("/payments", body, key="k")
        again: Any = live.post("/payments", body, key="k")
        found = superuser.read(reverse("admin:payments_payment_changelist"), q=again.headers["X-Request-Id"])
        assert body["order_id"] in found
        assert "1 payment" in found
