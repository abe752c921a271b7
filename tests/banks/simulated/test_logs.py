"""What the bank prints: a line a request, and never what must not be printed."""

import re
import socket

import requests

from tests.support.simulated_bank import SimulatedBank

NUMBER, CVV = "4111111111111111", "9876"


class TestLogs:
    def test_each_request_is_one_line_with_method_path_status_and_duration(
        self, bank: SimulatedBank, authorize
    ) -> None:
        authorize(bank, "a key")
        authorize(bank, "a key")
        lines = bank.log.splitlines()[-2:]
        assert re.fullmatch(r"POST /api/v1/authorizations 200 \d+ ms", lines[0])
        assert re.fullmatch(r"POST /api/v1/authorizations 200 \(stored answer\) \d+ ms", lines[1])

    def test_card_numbers_and_cvvs_are_never_printed(self, bank: SimulatedBank, authorize) -> None:
        authorize(bank, "a key", cvv=CVV)
        authorize(bank, NUMBER, cvv=CVV)
        authorize(bank, "amount", amount=int(NUMBER))
        authorize(bank, "far too much", amount=int(NUMBER) * 10**12)
        authorize(bank, "wrong type", amount=NUMBER, expiry_month={"cvv": CVV})
        with requests.Session() as http:
            http.get(f"{bank.url}/api/v1/authorizations/{NUMBER}?cvv={CVV}", timeout=5)
            http.get(f"{bank.url}/{NUMBER}", timeout=5)
            http.request(f"X{NUMBER}", f"{bank.url}/health", timeout=5)
            http.post(f"{bank.url}/api/v1/captures", data=f"{{{NUMBER} {CVV}", timeout=5)
        with socket.create_connection(("127.0.0.1", bank.port)) as line:
            line.sendall(f"POST /api/v1/authorizations HTTP/9.9 {NUMBER}\r\n{CVV}\r\n\r\n".encode())
            line.recv(1000)
        assert NUMBER not in bank.log
        assert CVV not in bank.log
        assert "Traceback" not in bank.log
