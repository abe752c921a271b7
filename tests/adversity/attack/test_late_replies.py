"""Late replies, late holds, and the keys under which they were made."""

import threading
import time
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection

from payments.domain.timing import Timing
from payments.engine import claim, leases, send
from payments.models import Operation, Payment
from payments.usecases import late_holds
from payments.usecases.recovery import recover_due
from tests.adversity.doubts import HOURS, MINUTES, again, found_not_executed, in_doubt, probe
from tests.conftest import forget_pace, wait_for_bank_threads
from tests.settings import POSTGRES
from tests.support.api_client import ApiClient, order
from tests.support.at_once import InBackground
from tests.support.bank_books import disagreements
from tests.support.leases import WITHIN, after_the_clients_bound
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass


class TestALateReplyThatIsAdopted:
    def test_awaits_the_statement_where_a_later_attempt_was_silent(
        self, live: ApiClient, bank: SimulatedBank, settings: Any
    ) -> None:
        """The second attempt's hold is on no receipt: nobody would ever look for it."""
        settings.BANK_TIMING = Timing(start_window=0.1, client_wait=0.3, backoff_base=0.05, backoff_cap=0.1)
        body = order()
        bank.script("authorizations", "alter", stored=False)  # a 200 that the bank does not remember
        bank.script("authorizations", "drop_after", stored=False)
        bank.script("authorizations", "drop_before", times=1000)
        bank.hold("authorizations")
        assert live.post("/payments", body, key="k").status == 202
        bank.wait_until_held()
        with psycopg.connect(POSTGRES.url(connection.settings_dict["NAME"])) as other:
            # The answer cannot be recorded until its sender has lost the lease.
            other.execute("SELECT 1 FROM payments_payment FOR NO KEY UPDATE")
            bank.release()
            bank.wait_until_idle()
            after_the_clients_bound()
            assert live.post("/payments", body, key="k").status == 202
            other.rollback()
        wait_for_bank_threads()
        after_the_clients_bound()
        recover_due(within=WITHIN)
        operation = Operation.objects.get()
        assert operation.state == "SUCCEEDED"
        assert len(bank.ledger()) == 2
        assert operation.awaiting_statement
        assert disagreements(bank) == []


@pytest.mark.usefixtures("brief")
class TestTheKeyOfALateHold:
    def test_is_retired_whoever_has_just_tried_in_vain_to_start_anew(
        self, live: ApiClient, bank: SimulatedBank, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A retry that ends unsent beside the release must not leave the key for the next one."""
        in_doubt(bank, "authorizations", lambda: again(live))
        bank.script("authorizations", "lookup_fails", times=2)
        assert probe(bank) == 1
        assert probe(bank, after=11 * MINUTES) == 1
        assert Operation.objects.get().state == "NOT_EXECUTED"
        let_pass(HOURS, bank)
        lease = leases.take_late_look()
        assert lease is not None
        send.look_late(lease)  # the hold is known, its release not yet recorded

        recorded, may_commit, ended = threading.Event(), threading.Event(), threading.Event()
        record, unclaimed = leases.open_lease, late_holds.unclaimed

        def slow_record(*args: Any, **kwargs: Any) -> Any:
            made = record(*args, **kwargs)
            recorded.set()
            assert may_commit.wait(10)
            return made

        seen = []

        def slow_unclaimed() -> Any:
            if seen:
                assert ended.wait(10)
            seen.append(1)
            return unclaimed()

        monkeypatch.setattr(leases, "open_lease", slow_record)
        monkeypatch.setattr(late_holds, "unclaimed", slow_unclaimed)
        settings.BANK_URL = "http://127.0.0.1:1"  # where nobody listens
        waiting = InBackground(lambda: again(live))
        assert recorded.wait(10)
        released: list[int] = []

        def release() -> None:
            try:
                released.append(late_holds.release_late_holds())
            finally:
                connection.close()

        releasing = threading.Thread(target=release)
        releasing.start()
        _wait_for_a_lock()
        may_commit.set()
        assert waiting.answer().status == 503  # nothing was sent
        ended.set()
        releasing.join(10)
        monkeypatch.undo()
        settings.BANK_URL = bank.url
        forget_pace()

        answer = again(live)
        assert answer.status == 201
        recover_due(within=WITHIN)
        voided = {entry.reference_id for entry in bank.ledger() if entry.type == "VOID"}
        held = Payment.objects.filter(state="AUTHORIZED").values_list("bank_authorization_id", flat=True)
        assert len(voided) == len(held) == 1
        assert not voided & set(held)

    def test_that_was_forgotten_after_30_days_is_not_used_a_second_time(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        """Its age would make every doubt of the new operation one for people, at once."""
        found_not_executed(live, bank, executed=False)
        let_pass(timedelta(days=31), bank)
        assert claim.sweep(limit=10) == 1
        bank.script("authorizations", "drop_after")
        bank.script("authorizations", "drop_before", times=1000)
        assert again(live).status == 202
        bank.clear_script()
        probe(bank)
        newest = Operation.objects.latest("created_at")
        assert len(set(Operation.objects.values_list("bank_idempotency_key", flat=True))) == 2
        assert newest.state == "SUCCEEDED"


def _wait_for_a_lock() -> None:
    with psycopg.connect(POSTGRES.url("postgres"), autocommit=True) as other:
        for _ in range(500):
            row = other.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s",
                [connection.settings_dict["NAME"]],
            ).fetchone()
            if row and row[0]:
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits")
