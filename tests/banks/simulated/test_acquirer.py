"""The simulated acquirer's process: its control plane, its books, its logs and its command line."""

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from bank.__main__ import _parser
from bank.settings import SettingInvalid, of_acquirer
from tests.banks.simulated.command import run_bank
from tests.support.hang_ups import hang_up_on
from tests.support.simulated_acquirer import SimulatedAcquirer

NUMBER, CVV = "4000000000000001", "9876"
PAYMENT = {"card_number": NUMBER, "expiry_date": "04/2030", "currency": "EUR", "amount": 100, "cvv": CVV}


@pytest.fixture
def pay(acquirer: SimulatedAcquirer) -> Iterator[Any]:
    with requests.Session() as http:
        http.trust_env = False

        def pay(**changes: Any) -> requests.Response:
            return http.post(f"{acquirer.url}/payments", json={**PAYMENT, **changes}, timeout=10)

        yield pay


class TestControlPlane:
    def test_it_is_off_unless_asked_for(self) -> None:
        with SimulatedAcquirer(environment={"ACQUIRER_CONTROL": "0"}) as acquirer:
            for path in ("state", "decisions", "requests"):
                assert requests.get(f"{acquirer.url}/control/{path}", timeout=5).status_code == 404
            assert requests.post(f"{acquirer.url}/control/reset", timeout=5).status_code == 404
            assert "control plane" not in acquirer.log

    def test_it_takes_the_acquirers_endpoint_steps_and_points_alone(
        self, acquirer: SimulatedAcquirer
    ) -> None:
        with pytest.raises(AssertionError, match=r"'captures' is unknown\. Known: payments"):
            acquirer.script("captures", "delay", ms=1)
        with pytest.raises(AssertionError, match="There is no step 'lookup_fails'"):
            acquirer.script("payments", "lookup_fails")
        with pytest.raises(AssertionError, match=r"'storing' is unknown\. Known: execution"):
            acquirer._order("hold", at="storing")
        for bank_only in ("database", "clock"):
            with pytest.raises(AssertionError, match="refused"):
                acquirer._order(bank_only, down=True)

    def test_unavailable_is_a_503_with_an_empty_body(self, acquirer: SimulatedAcquirer, pay) -> None:
        acquirer.script("payments", "unavailable")
        assert [(pay().status_code, len(acquirer.decisions())) for _ in range(2)] == [(503, 0), (200, 1)]

    def test_an_answer_can_be_unreadable_altered_or_dribble(self, acquirer: SimulatedAcquirer, pay) -> None:
        acquirer.script("payments", "garbage", body="{'authorized':")
        acquirer.script("payments", "alter", authorized=None)
        acquirer.script("payments", "dribble", interval_ms=2)
        assert pay().text == "{'authorized':"
        assert set(pay().json()) == {"authorization_code"}
        began = time.monotonic()
        assert pay().json()["authorized"]
        assert time.monotonic() - began >= 0.1
        assert len(acquirer.decisions()) == 3

    def test_delay_waits_and_goes_on(self, acquirer: SimulatedAcquirer, pay) -> None:
        acquirer.script("payments", "delay", ms=100)
        began = time.monotonic()
        assert pay().status_code == 200
        assert time.monotonic() - began >= 0.1

    def test_a_caller_who_hangs_up_before_the_decision_leaves_nothing_unless_it_goes_unnoticed(
        self, acquirer: SimulatedAcquirer
    ) -> None:
        for ignores_hangup, executed in ((False, 0), (True, 1)):
            acquirer.hold()
            acquirer.script("payments", "delay", ms=0, ignores_hangup=ignores_hangup)
            hang_up_on(acquirer.url, "/payments", PAYMENT, when=acquirer.wait_until_held)
            if not ignores_hangup:
                acquirer.wait_until_idle()
            acquirer.release()
            acquirer.wait_until_idle()
            assert len(acquirer.decisions()) == executed

    def test_it_knows_how_many_calls_were_in_flight_at_once(
        self, acquirer: SimulatedAcquirer, pay, background: ThreadPoolExecutor
    ) -> None:
        pay()
        assert acquirer.most_at_once("/payments") == 1
        acquirer.hold()
        calls = [background.submit(requests.post, f"{acquirer.url}/payments", json=PAYMENT) for _ in range(3)]
        acquirer.wait_until_held(3)
        acquirer.release()
        assert [call.result().status_code for call in calls] == [200, 200, 200]
        assert acquirer.most_at_once("/payments") == 3

    def test_reset_leaves_a_new_acquirer(self, acquirer: SimulatedAcquirer, pay) -> None:
        pay()
        acquirer.weather(failure_rate=1)
        acquirer.script("payments", "drop_after", times=3)
        acquirer.reset()
        assert (acquirer.decisions(), acquirer.requests(), acquirer.most_at_once("/payments")) == ([], [], 0)
        assert pay().status_code == 200


class TestLogs:
    def test_each_request_is_one_line(self, acquirer: SimulatedAcquirer, pay) -> None:
        pay()
        assert re.fullmatch(r"POST /payments 200 \d+ ms", acquirer.log.splitlines()[-1])

    def test_card_numbers_and_cvvs_are_kept_nowhere(self, acquirer: SimulatedAcquirer, pay) -> None:
        said = [pay().text, pay(currency=NUMBER).text, pay(expiry_date=[NUMBER, CVV]).text]
        said.append(requests.post(f"{acquirer.url}/payments", data=f"{NUMBER} {CVV}", timeout=5).text)
        requests.get(f"{acquirer.url}/{NUMBER}?cvv={CVV}", timeout=5)
        requests.get(acquirer.url, headers={"Idempotency-Key": NUMBER}, timeout=5)
        with socket.create_connection(("127.0.0.1", acquirer.port)) as line:
            line.sendall(f"POST /payments HTTP/9.9 {NUMBER}\r\n{CVV}\r\n\r\n".encode())
            line.recv(1000)
        kept = [acquirer.log, *said, str(acquirer.requests()), str(acquirer.decisions())]
        assert not any(NUMBER in text for text in kept)
        assert not any(CVV in text for text in [acquirer.log, *said])
        assert "Traceback" not in acquirer.log


class TestCommandLine:
    def test_the_defaults(self) -> None:
        settings = of_acquirer({"PORT": "9000", "BANK_PORT": "9001", "BANK_HOST": "::1", "BANK_CONTROL": "1"})
        assert (settings.host, settings.port, settings.control) == ("127.0.0.1", 8080, False)
        assert (settings.failure_rate, settings.min_latency_ms, settings.max_latency_ms) == (0.05, 100, 2000)
        assert of_acquirer({"ACQUIRER_PORT": "9002"}).port == 9002

    @pytest.mark.parametrize("name", ["ACQUIRER_PORT", "ACQUIRER_CONTROL", "FAILURE_RATE"])
    def test_a_value_that_means_nothing_is_refused_by_name(self, name: str) -> None:
        with pytest.raises(SettingInvalid, match=name):
            of_acquirer({name: "often"})

    def test_a_taken_port_is_one_plain_line_that_says_what_to_do(self, acquirer: SimulatedAcquirer) -> None:
        done = run_bank("acquirer", ACQUIRER_PORT=str(acquirer.port))
        assert done.returncode == 1
        assert f"Port {acquirer.port} on 127.0.0.1 is taken." in done.stderr
        assert "ACQUIRER_PORT=..." in done.stderr
        assert len(done.stderr.splitlines()) == 1

    def test_the_control_plane_is_switched_on_before_or_after_the_command(self) -> None:
        for arguments in (["--control", "acquirer"], ["acquirer", "--control"]):
            parsed = _parser().parse_args(arguments)
            assert (parsed.command, parsed.control) == ("acquirer", True)

    def test_the_switch_turns_it_on_and_it_stops_cleanly_when_asked(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(SimulatedAcquirer, "command", ("acquirer", "--control"))
        with SimulatedAcquirer(environment={"ACQUIRER_CONTROL": "0"}) as acquirer:
            assert acquirer.decisions() == []
            acquirer.stop()
            assert acquirer.log.endswith("stopped\n")
