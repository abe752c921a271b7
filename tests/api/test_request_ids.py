"""Every request has an id: the caller's if it can be one, and every answer and log line says it."""

import json
import re

import pytest

from tests.support.api_client import ApiClient, order
from tests.support.captured_logs import captured_logs

PATHS = ["/payments", f"/payments/pay_{'0' * 32}", "/nothing"]


def request_id(client: ApiClient, path: str, offered: str | None) -> str:
    headers = {} if offered is None else {"X-Request-ID": offered}
    return str(client.call("GET", path, headers=headers).headers["X-Request-ID"])


class TestRequestIds:
    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize(
        "offered",
        ["a", "ship-1", "x" * 64, "a.b_c:d/e+f=g", "0" * 20, "4512345678908", "701-1234567-1234567"],
    )
    def test_the_callers_own_is_kept(self, mistaken: ApiClient, path: str, offered: str) -> None:
        assert request_id(mistaken, path, offered) == offered

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("offered", [None, "", "a b", "x" * 65, "a\x01", "é", "<b>", "a,b"])
    def test_one_is_made_where_there_is_none_that_will_do(
        self, mistaken: ApiClient, path: str, offered: str | None
    ) -> None:
        assert re.fullmatch(r"[0-9a-f]{32}", request_id(mistaken, path, offered))

    @pytest.mark.parametrize("offered", ["4111111111111111", "4111-1111-1111-1111", "r/4/1/1111111111/111/1"])
    def test_one_is_made_where_it_holds_the_number_of_the_card(
        self, mistaken: ApiClient, offered: str
    ) -> None:
        answer = mistaken.post("/payments", order(amount=0), **{"X-Request-ID": offered})
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])
        assert answer.json["request_id"] == answer.headers["X-Request-ID"]

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
