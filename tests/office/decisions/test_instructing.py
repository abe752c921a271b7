"""Capture, void and refund by staff, on behalf of the merchant."""

import threading
from typing import Any

import pytest
from django.db import connection

from office.decisions import resolve
from office.decisions.evidence import Basis, CannotResolve, Kind, Proposal
from office.decisions.kinds import needs_second
from office.log.staff import Staff
from payments.models import Event, Operation, Payment, Resolution
from tests.conftest import forget_pace
from tests.office.decisions.cases import member
from tests.support.api_client import ApiClient
from tests.support.simulated_bank import SimulatedBank

pytestmark = pytest.mark.usefixtures("brief")


class TestInstructingForTheMerchant:
    @pytest.mark.parametrize(
        ("kind", "state"), [(Kind.CAPTURE, "CAPTURED"), (Kind.VOID, "VOIDED"), (Kind.REFUND, "REFUNDED")]
    )
    def test_does_what_the_merchant_would(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, kind: Kind, state: str
    ) -> None:
        receipt = live.captured() if kind == Kind.REFUND else live.authorized()
        payment = Payment.objects.get(order_id=receipt["order_id"])
        done = resolve.propose(kim, Proposal(kind, "the customer called", payment=payment)).resolution
        assert done.state == "APPLIED"
        assert live.receipt(receipt["id"])["state"] == state
        assert Operation.objects.get(kind=kind.value).actor == "staff:kim"
        events = live.get(f"/payments/{receipt['id']}/events").json["results"]
        assert not [one for one in events if one["type"].startswith("resolution")]

    def test_above_the_limit_waits_for_another(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        receipt = live.captured(amount=60_000)
        payment = Payment.objects.get(order_id=receipt["order_id"])
        proposed = resolve.propose(kim, Proposal(Kind.REFUND, "returned", payment=payment)).resolution
        assert live.receipt(receipt["id"])["state"] == "CAPTURED"
        resolve.approve(lee, proposed.pk, reason="right")
        assert live.receipt(receipt["id"])["state"] == "REFUNDED"

    def test_in_parts_takes_the_amount_that_was_shown_and_judges_the_limit_by_it(
        self, test_mode: ApiClient, kim: Staff
    ) -> None:
        receipt = test_mode.authorized(amount=90_000)
        payment = Payment.objects.get()
        capture = Proposal(Kind.CAPTURE, "shipped", payment=payment, amount_minor=43_700)
        assert resolve.propose(kim, capture).is_done
        payment = Payment.objects.get()
        for amount, refunded in ((10_000, 10_000), (None, 43_700)):
            done = resolve.propose(kim, Proposal(Kind.REFUND, "x", payment=payment, amount_minor=amount))
            assert (done.is_done, done.resolution.amount_minor) == (True, amount or 33_700)
            assert test_mode.receipt(receipt["id"])["refunded_amount"] == refunded
            payment = Payment.objects.get()

    def test_of_a_part_that_the_bank_does_not_take_is_refused_and_says_why(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        payment = Payment.objects.get(order_id=live.captured()["order_id"])
        part = Proposal(Kind.REFUND, "x", payment=payment, amount_minor=4999)
        with pytest.raises(CannotResolve, match=r"only be refunded in full: \$50.00; \$49.99 was requested"):
            resolve.propose(kim, part)

    def test_a_proposed_refund_of_what_was_refunded_in_part_meanwhile_is_outdated(
        self, test_mode: ApiClient, kim: Staff, lee: Staff
    ) -> None:
        receipt = test_mode.captured(amount=60_000)
        payment = Payment.objects.get()
        proposed = resolve.propose(kim, Proposal(Kind.REFUND, "returned", payment=payment)).resolution
        assert test_mode.post(f"/payments/{receipt['id']}/refund", {"amount": 1}).status == 200
        with pytest.raises(CannotResolve, match="This proposal is outdated"):
            resolve.approve(lee, proposed.pk, reason="right")
        assert test_mode.receipt(receipt["id"])["refunded_amount"] == 1

    @pytest.mark.parametrize(("currency", "needs"), [("USD", False), ("JPY", True), ("GBP", True)])
    def test_has_a_limit_in_each_currency(self, settings: Any, currency: str, needs: bool) -> None:
        settings.FOUR_EYES_ABOVE = {"USD": 5000, "JPY": 4999}
        basis = Basis("sandbox", "", 5000, currency)
        assert needs_second(Proposal(Kind.REFUND, "x"), basis) == needs

    def test_that_the_state_does_not_allow_is_refused_and_says_why(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        payment = Payment.objects.get(order_id=live.authorized()["order_id"])
        with pytest.raises(CannotResolve, match="AUTHORIZED cannot be refunded"):
            resolve.propose(kim, Proposal(Kind.REFUND, "returned", payment=payment))
        assert not Resolution.objects.exists()
        assert Event.objects.get(type__startswith="resolution").type == "resolution.failed"

    def test_a_proposed_one_that_the_merchant_has_sent_meanwhile_is_not_sent_again(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        receipt = live.captured(amount=60_000)
        payment = Payment.objects.get(order_id=receipt["order_id"])
        proposed = resolve.propose(kim, Proposal(Kind.REFUND, "returned", payment=payment)).resolution
        live.post(f"/payments/{receipt['id']}/refund")
        with pytest.raises(CannotResolve, match="This proposal is outdated"):
            resolve.approve(lee, proposed.pk, reason="right")
        assert [entry.type for entry in bank.ledger()].count("REFUND") == 1

    @pytest.mark.parametrize(
        ("fault", "said", "state"),
        [
            ({"status": 500, "code": "internal_error"}, "has not replied clearly yet", "OPEN"),
            ({"status": 400, "code": "authorization_expired"}, "the authorization has expired", "REJECTED"),
        ],
    )
    def test_says_what_the_bank_said_and_not_that_it_is_done(
        self,
        live: ApiClient,
        bank: SimulatedBank,
        kim: Staff,
        fault: dict[str, Any],
        said: str,
        state: str,
    ) -> None:
        payment = Payment.objects.get(order_id=live.authorized()["order_id"])
        bank.script("captures", "fail_before", times=1000, **fault)
        resolved = resolve.propose(kim, Proposal(Kind.CAPTURE, "shipped", payment=payment))
        assert said in resolved.said
        assert not resolved.is_done
        assert Operation.objects.get(kind="capture").state == state

    def test_says_that_nothing_moved_where_the_bank_cannot_be_reached(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        payment = Payment.objects.get(order_id=live.authorized()["order_id"])
        bank.stop()
        resolved = resolve.propose(kim, Proposal(Kind.CAPTURE, "shipped", payment=payment))
        assert "not executed. The bank could not be reached" in resolved.said
        bank.restart()
        forget_pace()
        assert resolve.propose(kim, Proposal(Kind.CAPTURE, "shipped", payment=payment)).is_done
        assert live.receipt(payment.public_id)["state"] == "CAPTURED"

    def test_two_approvals_at_the_same_moment_instruct_once(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        receipt = live.captured(amount=60_000)
        payment = Payment.objects.get(order_id=receipt["order_id"])
        proposed = resolve.propose(kim, Proposal(Kind.REFUND, "returned", payment=payment)).resolution
        outcomes: list[str] = []

        def work(staff: Staff) -> None:
            try:
                outcomes.append(resolve.approve(staff, proposed.pk, reason="right").said)
            except CannotResolve as no:
                outcomes.append(str(no))
            finally:
                connection.close()

        both = [threading.Thread(target=work, args=(staff,)) for staff in (lee, member("max"))]
        for one in both:
            one.start()
        for one in both:
            one.join()
        assert outcomes.count("Refund: done.") == 1
        assert Event.objects.filter(type="resolution.applied").count() == 1
        assert [entry.type for entry in bank.ledger()].count("REFUND") == 1
