"""Every request has an id: the caller's if it can be one, and every answer and log line says it."""

import json
import re

from tests.support.api_client import ApiClient, order
from tests.support.captured_logs import captured_logs

NO_CARDS = ("4512345678908", "701-1234567-1234567")
PATHS = ["/payments", f"/payments/pay_{'0' * 32}", "/nothing"]


def request_id(client: ApiClient, path: str, offered: str | None) -> str:
    headers = {} if offered is None else {"X-Request-ID": offered}
    return str(client.call("GET", path, headers=headers).headers["X-Request-ID"])


class TestRequestIds:
    def test_the_callers_own_is_kept(self, mistaken: ApiClient) -> None:
        for path in PATHS:
            for offered in ("a", "ship-1", "x" * 64, "a.b_c:d/e+f=g", "0" * 20, *NO_CARDS):
                assert request_id(mistaken, path, offered) == offered, (path, offered)

    def test_one_is_made_where_there_is_none_that_will_do(self, mistaken: ApiClient) -> None:
        for path in PATHS:
            for offered in (None, "", "a b", "x" * 65, "a\x01", "é", "<b>", "a,b"):
                assert re.fullmatch(r"[0-9a-f]{32}", request_id(mistaken, path, offered)), (path, offered)

    def test_one_is_made_where_it_holds_the_number_of_the_card(self, mistaken: ApiClient) -> None:
        for offered in ("4111111111111111", "4111-1111-1111-1111", "r/4/1/1111111111/111/1"):
            answer = mistaken.post("/payments", order(amount=0), **{"X-Request-ID": offered})
            assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"]), offered
            assert answer.json["request_id"] == answer.headers["X-Request-ID"], offered

    def test_made_ones_differ(self, mistaken: ApiClient) -> None:
        assert len({request_id(mistaken, "/payments", None) for _ in range(5)}) == 5

    def test_an_error_names_it_too(self, mistaken: ApiClient) -> None:
        answer = mistaken.call("GET", "/payments/x", headers={"X-Request-ID": "find-me"})
        assert answer.json["request_id"] == "find-me"

    def test_the_requests_log_line_has_it(self, mistaken: ApiClient) -> None:
        with captured_logs() as lines:
            mistaken.call("GET", "/orders/4111111111111111", headers={"X-Request-ID": "find-me"})
        (line,) = [json.loads(line) for line in lines.getvalue().splitlines()]
        assert (line["event"], line["method"], line["status"]) == ("request", "GET", 404)
        assert (line["request_id"], line["path"]) == ("find-me", "/api/v1/orders/************1111")
