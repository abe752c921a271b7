"""The bank's reference of a capture or a refund, recorded by people: verified with the bank first."""

import pytest
from django.db import connection

from office.decisions import resolve
from office.decisions.evidence import CannotResolve
from office.log.staff import Staff
from payments.engine.conclude import Outdated
from payments.models import Discrepancy, Event, Operation, Resolution
from payments.usecases.recovery import recover_due
from reconciliation.services.audit import violations
from tests.office.decisions.cases import MINUTES, WITHIN, lost_capture, recording, too_old
from tests.support.api_client import ApiClient
from tests.support.bank_books import disagreements
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass
from tests.support.unguarded import unguarded

pytestmark = pytest.mark.usefixtures("brief")


class TestRecordingTheBanksReference:
    def test_settles_a_lost_capture_as_the_banks_answer_would(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = lost_capture(live, bank)
        resolution = resolve.propose(kim, recording(operation, bank.ledger()[-1].id)).resolution
        assert resolution.state == "APPLIED"
        payment = live.receipt(operation.claimed_payment.public_id)
        assert (payment["state"], payment["pending_operation"]) == ("CAPTURED", None)
        assert payment["bank"]["capture_id"] == bank.ledger()[-1].id
        replay = live.post(f"/payments/{payment['id']}/capture", key="the-capture")
        assert (replay.status, replay.json) == (200, payment)
        assert Discrepancy.objects.get().closed_at is not None
        event = Event.objects.get(type="payment.captured")
        assert (event.actor, event.evidence["reason"]) == ("staff:kim", "seen in the bank's portal")
        assert live.post(f"/payments/{payment['id']}/refund").status == 200
        assert violations() == []
        assert disagreements(bank, settled=True) == []

    def test_that_names_another_authorization_is_refused(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        other = live.captured()
        operation = lost_capture(live, bank)
        with pytest.raises(CannotResolve, match="belongs to another capture"):
            resolve.propose(kim, recording(operation, other["bank"]["capture_id"]))
        with unguarded(), connection.cursor() as cursor:
            cursor.execute("UPDATE payments_payment SET bank_capture_id = 'x' WHERE state = 'CAPTURED'")
            cursor.execute("UPDATE payments_operation SET bank_reference = 'x' WHERE state = 'SUCCEEDED'")
        with pytest.raises(CannotResolve, match="belongs to auth_"):
            resolve.propose(kim, recording(operation, other["bank"]["capture_id"]))
        assert Resolution.objects.count() == 0

    @pytest.mark.parametrize(
        "reference", ["cap_00000000-0000-4000-8000-000000000000", "nonsense", "", "../x"]
    )
    def test_that_the_bank_does_not_know_is_refused(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, reference: str
    ) -> None:
        operation = lost_capture(live, bank)
        with pytest.raises(CannotResolve, match="has no capture"):
            resolve.propose(kim, recording(operation, reference))

    def test_at_a_bank_in_ill_health_changes_nothing(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = lost_capture(live, bank)
        reference = bank.ledger()[-1].id
        bank.database_down()
        with pytest.raises(CannotResolve, match="could not look it up"):
            resolve.propose(kim, recording(operation, reference))
        bank.database_down(False)
        assert resolve.propose(kim, recording(operation, reference)).resolution.state == "APPLIED"

    def test_is_not_possible_for_a_hold(self, live: ApiClient, bank: SimulatedBank, kim: Staff) -> None:
        operation = too_old(live, bank)
        with pytest.raises(CannotResolve, match="voids cannot be looked up"):
            resolve.propose(kim, recording(operation, bank.ledger()[0].id))


class TestALostRefundId:
    def test_is_filled_in_when_the_bank_confirms_it(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        receipt = live.captured()
        bank.script("refunds", "drop_after", stored=False)
        bank.script("refunds", "drop_before", times=1000)
        live.post(f"/payments/{receipt['id']}/refund", key="the-refund")
        bank.clear_script()
        let_pass(5 * MINUTES, bank)
        recover_due(within=WITHIN)
        operation = Operation.objects.get(kind="refund")
        assert (operation.state, operation.bank_reference) == ("SUCCEEDED", "")
        answered = live.post(f"/payments/{receipt['id']}/refund", key="the-refund")
        reference = bank.ledger()[-1].id
        with pytest.raises(CannotResolve, match="has no refund"):
            resolve.propose(kim, recording(operation, "ref_00000000-0000-4000-8000-000000000000"))
        assert resolve.propose(kim, recording(operation, reference)).is_done
        assert live.receipt(receipt["id"])["bank"]["refund_id"] == reference
        assert live.post(f"/payments/{receipt['id']}/refund", key="the-refund").body == answered.body
        with pytest.raises((CannotResolve, Outdated)):
            resolve.propose(kim, recording(operation, reference))
        assert violations() == []
        assert disagreements(bank, settled=True) == []
