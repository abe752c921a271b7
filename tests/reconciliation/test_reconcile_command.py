"""`manage.py reconcile`, as operators and schedulers use it."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import execute_from_command_line

from payments.domain.timing import Timing
from payments.models import Heartbeat, Operation
from tests.conftest import forget_pace, wait_for_bank_threads
from tests.support.api_client import ApiClient, order
from tests.support.bank_books import disagreements
from tests.support.gateway_server import PROJECT, environment_of_a_process
from tests.support.reconcile import reconcile
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

MINUTES = timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("scripted")


def capture_in_doubt(live: ApiClient, bank: SimulatedBank) -> dict[str, Any]:
    payment = live.authorized()
    bank.script("captures", "drop_after")
    bank.script("captures", "drop_before", times=1000)
    assert live.post(f"/payments/{payment['id']}/capture").status == 202
    wait_for_bank_threads()  # a busy machine answers before they end
    let_pass(timedelta(seconds=5), bank)  # a connection that is reset instead of closed does not end the call
    bank.clear_script()
    forget_pace(retries=3)
    return payment


class TestPending:
    def test_with_nothing_in_doubt_says_so(self, live: ApiClient, bank: SimulatedBank) -> None:
        live.authorized()
        assert reconcile("pending") == (0, "0 settled; 0 in doubt, 0 under review, 0 in flight.\n")

    def test_settles_what_the_bank_can_tell_although_it_is_not_due(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        payment = capture_in_doubt(live, bank)
        code, printed = reconcile("pending")
        assert (code, live.receipt(payment["id"])["state"]) == (0, "CAPTURED")
        assert f"capture of $50.00 for {payment['id']}: SUCCEEDED" in printed
        assert disagreements(bank, settled=True) == []

    def test_ends_with_1_while_something_is_still_in_doubt(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        bank.script("authorizations", "drop_before", times=1000)
        assert live.post("/payments", order()).status == 202
        bank.clear_script()
        code, printed = reconcile("pending")  # a first negative probe proves nothing
        assert (code, Operation.objects.get().state) == (1, "OPEN")
        assert "0 settled; 1 in doubt" in printed
        let_pass(11 * MINUTES, bank)
        assert reconcile("pending")[0] == 0

    def test_ends_with_1_while_something_is_under_review(self, live: ApiClient, bank: SimulatedBank) -> None:
        bank.script("authorizations", "drop_before", times=1000)
        live.post("/payments", order())
        let_pass(timedelta(hours=24), bank)
        assert reconcile("pending")[0] == 1
        assert reconcile("pending", "--dry-run") == (
            1,
            f"{Operation.objects.get().public_id} authorize of $50.00 for "
            f"{Operation.objects.get().claimed_payment.public_id}: NEEDS_REVIEW\n"
            "0 in doubt, 1 under review, 0 in flight.\n",
        )

    def test_leaves_alone_what_is_in_flight(
        self, live: ApiClient, bank: SimulatedBank, quick: Timing
    ) -> None:
        bank.hold("authorizations")
        assert live.post("/payments", order()).status == 202
        code, printed = reconcile("pending")
        assert (code, printed.splitlines()[-1]) == (
            0,
            "0 settled; 0 in doubt, 0 under review, 1 in flight.",
        )
        assert set(bank.max_in_flight().values()) == {1}

    def test_dry_run_asks_nobody(self, live: ApiClient, bank: SimulatedBank) -> None:
        capture_in_doubt(live, bank)
        asked = len(bank.requests())
        assert reconcile("pending", "--dry-run")[0] == 1
        assert len(bank.requests()) == asked
        assert Operation.objects.get(kind="capture").state == "OPEN"

    def test_limit_and_payment_choose(self, live: ApiClient, bank: SimulatedBank) -> None:
        first, second, third = (capture_in_doubt(live, bank) for _ in range(3))
        assert reconcile("pending", "--payment", third["id"])[0] == 0
        states = [live.receipt(one["id"])["state"] for one in (first, second, third)]
        assert states == ["AUTHORIZED", "AUTHORIZED", "CAPTURED"]
        assert reconcile("pending", "--limit", "1")[0] == 1
        states = [live.receipt(one["id"])["state"] for one in (first, second, third)]
        assert states == ["CAPTURED", "AUTHORIZED", "CAPTURED"]

    def test_json_is_for_programs(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = capture_in_doubt(live, bank)
        code, printed = reconcile("pending", "--json")
        report = json.loads(printed)
        assert (code, report["settled"], report["in_doubt"]) == (0, 1, 0)
        assert report["operations"][0]["payment"] == payment["id"]
        assert report["operations"][0]["amount_minor"] == 5000

    def test_what_makes_no_sense_is_an_error_and_2(self, capsys: pytest.CaptureFixture[str]) -> None:
        for arguments in (
            ("pending", "--payment", "order-7"),
            ("pending", "--payment", "pay_" + "0" * 32),
            ("pending", "--limit", "0"),
            ("pending", "--limit", "many"),
            ("pending", "--watch", "--json"),
            ("explain", "pay_" + "0" * 32),
            ("explain",),
            ("everything",),
            (),
        ):
            with pytest.raises(SystemExit) as ended:
                execute_from_command_line(["manage.py", "reconcile", *arguments])
            message = capsys.readouterr().err
            assert (ended.value.code, "Traceback" in message) == (2, False), arguments
            assert message.strip()

    def test_and_so_it_is_as_a_process(self) -> None:
        code, message = _as_a_process("pending", "--limit", "0")
        assert (code, "Traceback" in message) == (2, False)
        assert message.strip()

    def test_a_database_that_is_away_is_an_error_and_2(self, live: ApiClient) -> None:
        away = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing"}
        code, message = _as_a_process("pending", **away)
        assert (code, len(message.strip().splitlines())) == (2, 1)
        assert "make up" in message


class TestWatch:
    def test_settles_doubts_as_they_come_until_it_is_told_to_stop(
        self, live: ApiClient, bank: SimulatedBank, until: Callable[[Callable[[], Any]], Any]
    ) -> None:
        with subprocess.Popen(
            [sys.executable, "manage.py", "reconcile", "pending", "--watch"],
            cwd=PROJECT, env=environment_of_a_process(bank.url),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as watching:  # fmt: skip
            try:
                until(lambda: Heartbeat.objects.filter(process="recovery").exists())
                payments = [capture_in_doubt(live, bank) for _ in range(3)]
                let_pass(5 * MINUTES, bank)
                until(lambda: not Operation.objects.filter(state="OPEN").exists())
            finally:
                watching.send_signal(signal.SIGTERM)
            assert watching.wait(timeout=20) == 0
        assert {live.receipt(one["id"])["state"] for one in payments} == {"CAPTURED"}
        assert set(bank.max_in_flight().values()) == {1}


class TestExpirations:
    def test_expire_what_has_run_out(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = live.authorized()
        let_pass(timedelta(days=7), bank)
        code, printed = reconcile("expirations", "--dry-run")
        assert (code, printed.splitlines()[0]) == (0, f"{payment['id']} would expire")
        assert live.receipt(payment["id"])["state"] == "AUTHORIZED"
        code, printed = reconcile("expirations", "--json")
        assert (code, json.loads(printed)["expired"]) == (0, [payment["id"]])
        assert live.receipt(payment["id"])["state"] == "EXPIRED"
        assert reconcile("expirations") == (0, "0 expired, 0 left.\n")

    def test_end_with_1_where_some_are_left(self, live: ApiClient, bank: SimulatedBank) -> None:
        live.authorized()
        live.authorized()
        let_pass(timedelta(days=7), bank)
        assert reconcile("expirations", "--limit", "1")[0] == 1


class TestExplain:
    def test_tells_the_chain_of_evidence(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = capture_in_doubt(live, bank)
        code, told = reconcile("explain", payment["id"])
        assert code == 0
        assert f"{payment['id']}: $50.00 for order {payment['order_id']}" in told
        assert f"Attempt 1 got the reply 200 and {payment['bank']['authorization_id']}" in told
        assert "Attempt 1 got no readable reply (connection lost)" in told
        assert "The bank may have executed it." in told
        assert "The capture is in doubt: recovery asks the bank again at" in told
        reconcile("pending")
        told = reconcile("explain", payment["id"])[1]
        assert "200 replayed and cap_" in told
        assert told.splitlines()[-1] == "The money is taken. It can be refunded."

    def test_tells_of_probes_reviews_and_the_statement(self, live: ApiClient, bank: SimulatedBank) -> None:
        bank.script("authorizations", "drop_before", times=1000)
        payment = live.post("/payments", order()).json
        wait_for_bank_threads()
        let_pass(timedelta(seconds=5), bank)  # a connection that is reset does not end the call
        bank.clear_script()
        forget_pace(retries=3)
        reconcile("pending")
        told = reconcile("explain", payment["id"])[1]
        assert "The bank was healthy before and after, so it has nothing stored under the key." in told
        let_pass(11 * MINUTES, bank)
        reconcile("pending")
        told = json.loads(reconcile("explain", payment["id"], "--json")[1])["sentences"]
        assert "is waiting for the bank's statement" in told[-1]
        assert "looks for the hold once more" in told[-1]


def _as_a_process(*arguments: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "manage.py", "reconcile", *arguments],
        cwd=PROJECT, env=environment_of_a_process("http://127.0.0.1:1") | environment,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr
