"""Whoever stands between us and the bank may give up on a call that the bank is still working on."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from payments.domain.timing import Timing
from tests.conftest import wait_for_bank_threads
from tests.support.api_client import ApiClient, order
from tests.support.simulated_bank import SimulatedBank


@pytest.fixture
def impatient_proxy(bank: SimulatedBank, settings: Any) -> Iterator[None]:
    """A reverse proxy that waits 0.2 s for the bank and then answers 504, as nginx does after 60 s."""

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answers: list[requests.Response] = []

            def forward() -> None:
                headers = {
                    "Idempotency-Key": self.headers["Idempotency-Key"],
                    "Content-Type": "application/json",
                }
                answers.append(requests.post(bank.url + self.path, data=body, headers=headers, timeout=30))

            calling = threading.Thread(target=forward)
            calling.start()
            calling.join(0.2)
            status, content = (answers[0].status_code, answers[0].content) if answers else (504, b"<html>")
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever).start()
        settings.BANK_URL = f"http://127.0.0.1:{server.server_address[1]}"
        yield
        server.shutdown()


def test_a_504_does_not_prove_that_the_call_is_over(
    live: ApiClient, bank: SimulatedBank, settings: Any, impatient_proxy: None
) -> None:
    settings.BANK_TIMING = Timing(start_window=2.0, client_wait=2.5, backoff_base=0.1, backoff_cap=0.1)
    bank.hold("authorizations")
    assert live.post("/payments", order()).status == 202
    bank.release()
    wait_for_bank_threads()
    bank.wait_until_idle()
    assert set(bank.max_in_flight().values()) == {1}
    assert len(bank.ledger()) == 1
