"""A process that is stopped in the middle of a payment, and wakes when others have settled it.

Stopped with SIGSTOP, as a paused virtual machine or a swapping host would be. That it sleeps longer than its
lease is a matter of clocks: they are put forward meanwhile, its own and the database's.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from payments.models import Attempt, Discrepancy, Operation
from payments.usecases.recovery import recover_due
from tests.adversity.field_reports.gates import Gates
from tests.adversity.races.books import assert_books_agree
from tests.adversity.races.remote import RemoteClient
from tests.adversity.warm_server import WarmServer
from tests.support.api_client import ApiClient, order
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

WITHIN = timedelta(seconds=5)
MINUTES = timedelta(minutes=1)


class Sleeper(WarmServer):
    """A gateway that can be stopped and woken, with gates on the way to its bank."""

    def __init__(self, bank_url: str, home: Path) -> None:
        super().__init__(
            bank_url,
            home,
            threads=8,
            application="tests.adversity.field_reports.gated_application:application",
            environment={"GATES": str(home)},
        )
        self.gates = Gates(home)

    def fall_asleep(self) -> None:
        os.killpg(self.process.pid, signal.SIGSTOP)

    def sleep_past_the_lease(self) -> None:
        """Until it has run out by the sleeper's own clock and by the database's."""
        lease = settings.BANK_TIMING.lease
        self.gates.put_clock_forward(lease)
        let_pass(timedelta(seconds=lease))

    def wake(self) -> None:
        os.killpg(self.process.pid, signal.SIGCONT)

    def stop(self) -> None:
        self.wake()
        super().stop()


@pytest.fixture(scope="module")
def one_sleeper(
    bank_process: SimulatedBank, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sleeper]:
    with Sleeper(bank_process.url, tmp_path_factory.mktemp("sleeper")) as server:
        yield server


@pytest.fixture
def sleeper(live: ApiClient, bank: SimulatedBank, one_sleeper: Sleeper) -> Iterator[Sleeper]:
    yield one_sleeper
    one_sleeper.gates.open_all()
    one_sleeper.wake()


class Sent:
    """A request to the sleeper, on a thread of its own."""

    def __init__(self, sleeper: Sleeper, live: ApiClient, path: str, body: Any, key: str) -> None:
        client = RemoteClient(sleeper.url, live.key)
        self.status = 0

        def send() -> None:
            self.status = client.post(path, body, key=key).status

        self._thread = threading.Thread(target=send)
        self._thread.start()

    def answered(self) -> int:
        """The status it was answered in the end."""
        self._thread.join(timeout=30)
        return self.status


def calls(bank: SimulatedBank, endpoint: str) -> int:
    return len([seen for seen in bank.requests() if seen.path == f"/api/v1/{endpoint}"])


class TestASleeperBetweenIntentAndSend:
    @pytest.mark.parametrize("meanwhile", ["nobody came", "the merchant retried"])
    def test_sends_no_authorize_when_it_wakes(
        self,
        live: ApiClient,
        bank: SimulatedBank,
        sleeper: Sleeper,
        until: Callable[..., Any],
        meanwhile: str,
    ) -> None:
        body = order()
        sleeper.gates.shut("recorded")
        sent = Sent(sleeper, live, "/payments", body, "the-order")
        sleeper.gates.wait_until_reached("recorded")
        sleeper.fall_asleep()
        sleeper.sleep_past_the_lease()
        if meanwhile == "the merchant retried":
            let_pass(MINUTES, bank)
            assert live.post("/payments", body, key="the-order").status == 201
        asked = calls(bank, "authorizations")
        sleeper.gates.open("recorded")
        sleeper.wake()

        assert sent.answered() in (201, 202, 503)
        until(lambda: Attempt.objects.get(number=1).ended_at)
        assert Attempt.objects.get(number=1).result == "not_sent"
        assert calls(bank, "authorizations") == asked
        assert live.post("/payments", body, key="the-order").status == 201
        assert len(bank.ledger()) == 1
        assert assert_books_agree(bank) == []

    def test_sends_no_capture_when_it_wakes(
        self, live: ApiClient, bank: SimulatedBank, sleeper: Sleeper, until: Callable[..., Any]
    ) -> None:
        path = f"/payments/{live.authorized()['id']}"
        sleeper.gates.shut("recorded")
        sent = Sent(sleeper, live, f"{path}/capture", None, "the-capture")
        sleeper.gates.wait_until_reached("recorded")
        sleeper.fall_asleep()
        sleeper.sleep_past_the_lease()
        assert recover_due(within=WITHIN) == 1
        sleeper.gates.open("recorded")
        sleeper.wake()

        assert sent.answered() in (200, 202)
        until(lambda: Attempt.objects.get(operation__kind="capture", number=1).ended_at)
        assert calls(bank, "captures") == 1
        assert live.get(path).json["state"] == "CAPTURED"
        assert assert_books_agree(bank) == []


class TestASleeperThatHadSent:
    def test_finds_its_hold_adopted(
        self, live: ApiClient, bank: SimulatedBank, sleeper: Sleeper, until: Callable[..., Any]
    ) -> None:
        bank.hold("authorizations")
        sent = Sent(sleeper, live, "/payments", order(), "the-order")
        bank.wait_until_held()
        sleeper.fall_asleep()
        bank.release()
        bank.wait_until_idle()
        sleeper.sleep_past_the_lease()
        assert recover_due(within=WITHIN) == 1
        sleeper.wake()

        assert sent.answered() in (201, 202)
        until(lambda: Attempt.objects.get(number=1).ended_at)
        assert recover_due(within=WITHIN) == 0  # there is nothing to release
        assert Operation.objects.get().bank_reference == bank.ledger()[0].id
        assert len(bank.ledger()) == 1
        assert assert_books_agree(bank) == []

    def test_brings_a_hold_that_is_voided_where_its_payment_has_ended(
        self, live: ApiClient, bank: SimulatedBank, sleeper: Sleeper, until: Callable[..., Any]
    ) -> None:
        """The bank has lost its answer, so that two probes find nothing: only the sleeper knows the hold."""
        bank.script("authorizations", "hang_after", stored=False)
        body = order()
        sent = Sent(sleeper, live, "/payments", body, "the-order")
        bank.wait_until_held()
        sleeper.fall_asleep()
        bank.release()
        bank.wait_until_idle()
        sleeper.sleep_past_the_lease()
        found_not_executed(bank)
        sleeper.wake()

        assert sent.answered() in (202, 503)
        late = until(lambda: Attempt.objects.filter(number=1, is_late=True).first())
        assert late.bank_reference == bank.ledger()[0].id
        assert recover_due(within=WITHIN) == 2  # the case, the release
        assert Discrepancy.objects.get().kind == "late_hold"
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "VOID"]
        assert bank.balances()["1111"].held == 0
        assert assert_books_agree(bank) == []

        again = live.post("/payments", body, key="the-order")
        assert (again.status, bank.ledger()[-1].id) == (201, again.json["bank"]["authorization_id"])
        assert bank.balances()["1111"].held == 5000

    def test_or_was_about_to_and_sends_all_the_same_leaves_no_hold_behind(
        self, live: ApiClient, bank: SimulatedBank, sleeper: Sleeper, until: Callable[..., Any]
    ) -> None:
        """No check can be so late that nothing comes after it: what slips through is found, and voided."""
        sleeper.gates.shut("permitted")
        sent = Sent(sleeper, live, "/payments", order(), "the-order")
        sleeper.gates.wait_until_reached("permitted")
        sleeper.fall_asleep()
        sleeper.sleep_past_the_lease()
        found_not_executed(bank)
        sleeper.gates.open("permitted")
        sleeper.wake()

        assert sent.answered() in (202, 503)
        until(lambda: Attempt.objects.get(number=1).is_late)
        assert recover_due(within=WITHIN) == 2  # the case, the release
        assert [entry.type for entry in bank.ledger()] == ["AUTH_HOLD", "VOID"]
        assert bank.balances()["1111"].held == 0
        assert assert_books_agree(bank) == []


def found_not_executed(bank: SimulatedBank) -> None:
    """By two probes ten minutes apart."""
    assert recover_due(within=WITHIN) == 1
    let_pass(11 * MINUTES, bank)
    assert recover_due(within=WITHIN) == 1
    assert Operation.objects.get().state == "NOT_EXECUTED"
