"""Every error has the same form, with and without DEBUG, and repeats nothing that was sent."""

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from payments.models import Merchant
from tests.support.api_client import CARDS, ApiClient, order
from tests.support.captured_logs import captured_logs
from tests.support.simulated_bank import SimulatedBank

NUMBER, CVV = CARDS["visa"]["number"], "8642"
READS = ["/payments", f"/payments/pay_{'0' * 32}", f"/payments/pay_{'0' * 32}/events", "/orders/o"]
WRITES = [f"/payments/pay_{'0' * 32}/{verb}" for verb in ("capture", "void", "refund")]


@pytest.fixture(params=[False, True], ids=["production", "debug"])
def debug(request: Any, settings: Any) -> bool:
    settings.DEBUG = request.param
    return bool(request.param)


class TestMethods:
    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO", NUMBER])
    @pytest.mark.parametrize(("path", "allowed"), [(path, "GET, HEAD") for path in READS[1:]])
    def test_a_read_takes_get_and_head(
        self, mistaken: ApiClient, method: str, path: str, allowed: str
    ) -> None:
        answer = mistaken.call(method, path)
        assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) == set(allowed.split(", "))
        assert NUMBER not in answer.body.decode()

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
    @pytest.mark.parametrize("path", WRITES)
    def test_an_operation_takes_post(self, mistaken: ApiClient, method: str, path: str) -> None:
        response = Client().generic(
            method, f"/api/v1{path}?a=1", headers={"Authorization": f"Bearer {mistaken.key}"}
        )
        assert (response.status_code, response.headers["Allow"]) == (405, "POST")
        assert response.headers["Content-Type"] == "application/problem+json"

    def test_payments_take_both(self, mistaken: ApiClient) -> None:
        answer = mistaken.call("DELETE", "/payments")
        assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}

    def test_head_is_get_without_the_body(self, mistaken: ApiClient) -> None:
        headers = {"Authorization": f"Bearer {mistaken.key}"}
        response = Client().head("/api/v1/payments", headers=headers)
        assert (response.status_code, response.content) == (200, b"")
        assert Client().head("/api/v1/payments").status_code == 401


class TestForm:
    @pytest.mark.parametrize(
        "accept", ["text/html", "application/xml", "image/*", ";;", "application/json;q=0"]
    )
    def test_json_is_answered_whatever_is_accepted(self, mistaken: ApiClient, accept: str) -> None:
        assert mistaken.call("GET", "/payments", headers={"Accept": accept}).status == 200
        assert mistaken.call("GET", "/payments/x", headers={"Accept": accept}).status == 404
        assert mistaken.call("GET", "/nothing", headers={"Accept": accept}).status == 404

    def test_a_type_a_title_and_a_detail_are_of_the_code(self, mistaken: ApiClient) -> None:
        problem = mistaken.get("/payments/x").json
        assert problem["type"] == "/problems/not_found"
        assert problem["title"] == "Not found"
        assert problem["detail"] == "There is no such payment."

    @pytest.mark.parametrize("payment_id", ["x", f"pay_{'0' * 32}"])
    def test_a_payment_that_is_none_is_told_in_the_same_words_everywhere(
        self, mistaken: ApiClient, payment_id: str
    ) -> None:
        reads = [mistaken.get(f"/payments/{payment_id}{path}") for path in ("", "/events")]
        writes = [mistaken.post(f"/payments/{payment_id}/{verb}") for verb in ("capture", "void", "refund")]
        assert {(answer.json["title"], answer.json["detail"]) for answer in [*reads, *writes]} == {
            ("Not found", "There is no such payment.")
        }

    @pytest.mark.usefixtures("debug")
    @pytest.mark.parametrize(
        "path", ["/api/v1/nothing", "/api/v1/a%0Ab", "/api", "/api/", "/api/v1/", "/api/v2/payments"]
    )
    def test_an_unknown_address_is_a_problem_with_and_without_debug(self, path: str) -> None:
        response = Client().get(path)
        assert response.status_code == 404
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["code"] == "not_found"

    @pytest.mark.usefixtures("debug")
    @pytest.mark.parametrize("path", ["payments/", "nothing", f"payments/pay_{'0' * 32}/capture/", ""])
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_writing_to_an_unknown_address_is_a_404_problem(self, method: str, path: str) -> None:
        """A slash too many was the page of a form that is too old."""
        response = Client(enforce_csrf_checks=True).generic(method, f"/api/v1/{path}", b"{}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["money_moved"] == "no"

    @pytest.mark.usefixtures("debug")
    @pytest.mark.parametrize("path", ["/api/docs", "/api/docs/", "/api/schema/", "/api/redoc", "/api/no"])
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    def test_no_error_below_api_is_a_page(self, method: str, path: str) -> None:
        response = Client(enforce_csrf_checks=True).generic(method, path)
        assert response.status_code in (404, 405)
        assert response.headers["Content-Type"] == "application/problem+json"

    @pytest.mark.usefixtures("debug")
    def test_a_defect_outside_the_views_is_a_problem_with_and_without_debug(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise RuntimeError(NUMBER)

        client = Client(raise_request_exception=False)
        for where, path in (
            ("ficpay.home.not_found", "/api/v1/nothing"),
            ("django.middleware.common.CommonMiddleware.process_request", "/api/v1/payments"),
            ("office.door.sessions.IdleSessionMiddleware.__call__", "/api/docs/"),
        ):
            monkeypatch.setattr(where, fail)
            response = client.post(path)
            assert (response.status_code, response.json()["code"]) == (500, "internal_error")
            assert response.json()["money_moved"] == "unknown"
            assert NUMBER not in response.content.decode()
            monkeypatch.undo()

    @pytest.mark.usefixtures("debug")
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_plain_http_is_refused_and_not_redirected(self, settings: Any, method: str) -> None:
        """Clients follow a redirected POST with a GET, and take its 200 for their payment."""
        settings.HTTPS_ONLY = settings.SECURE_SSL_REDIRECT = True
        response = Client().generic(method, "/api/v1/payments")
        assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
        assert "https://" in response.json()["detail"]
        page = Client().get(response.json()["type"], secure=True).content.decode()
        assert "http://" in page
        assert response.json()["next"] in page
        assert Client().generic(method, "/api/v1/payments", secure=True).status_code == 401
        assert Client().get("/admin/").headers["Location"].startswith("https://")

    def test_no_answer_is_kept_by_a_cache(self, mistaken: ApiClient) -> None:
        for method, path in (
            ("GET", "/payments"),
            ("GET", "/payments/x"),
            ("POST", "/payments"),
            ("GET", "/no"),
        ):
            assert mistaken.call(method, path).headers["Cache-Control"] == "no-store"

    @pytest.mark.usefixtures("debug")
    def test_a_foreign_host_is_a_problem_with_and_without_debug(self, settings: Any) -> None:
        settings.ALLOWED_HOSTS = ["ficpay.example"]
        response = Client().get("/api/v1/payments", headers={"Host": f"{NUMBER}.example"})
        assert (response.status_code, response.json()["code"]) == (400, "validation_error")
        assert NUMBER not in response.content.decode()


class TestOurOwnFailures:
    """What only a defect or an outage can show is brought about inside."""

    def test_a_defect_is_a_500_that_tells_nothing(
        self, mistaken: ApiClient, debug: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise RuntimeError(f"secret {NUMBER}")

        monkeypatch.setattr("payments.api.views.authorize_payment", fail)
        answer = mistaken.post("/payments", order())
        assert (answer.status, answer.json["code"]) == (500, "internal_error")
        assert answer.json["money_moved"] == "unknown"
        assert "secret" not in answer.body.decode()
        monkeypatch.setattr("payments.api.base.ApiView.payments", fail)
        answer = mistaken.get("/payments")
        assert (answer.status, "money_moved" in answer.json) == (500, False)

    def test_a_database_that_is_away_is_a_503(
        self, mistaken: ApiClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise OperationalError("connection to server at 10.0.0.1 refused")

        monkeypatch.setattr("payments.api.authentication.find_caller", fail)
        for answer in (mistaken.get("/payments"), mistaken.post("/payments", order())):
            assert (answer.status, answer.json["code"]) == (503, "service_unavailable")
            assert int(answer.headers["Retry-After"]) > 0
            assert "10.0.0.1" not in answer.body.decode()

    def test_no_local_variable_and_no_card_reaches_the_log(
        self, mistaken: ApiClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_request: Any, *, card: Any, **_: Any) -> None:
            number, cvv = card.number, card.cvv
            raise RuntimeError(f"{number}, {len(cvv)}")

        monkeypatch.setattr("payments.api.views.authorize_payment", fail)
        with captured_logs() as lines:
            mistaken.post("/payments", order(card=CARDS["visa"] | {"cvv": CVV}))
        log = lines.getvalue()
        assert "unforeseen_error" in log
        assert "************1111" in log
        assert NUMBER not in log
        assert CVV not in log


@pytest.mark.usefixtures("debug")
class TestPagesOfPeople:
    """Addresses outside the API: no page repeats a card number or shows a variable."""

    @pytest.mark.parametrize(
        "path",
        ["/nothing", f"/{NUMBER}", "/4111-1111-1111-1111?a=4111111111111111", f"/admin/{NUMBER}/", "/a%0Ab"],
    )
    def test_an_unknown_one_is_plain(self, db: None, path: str) -> None:
        response = Client().get(path)
        shown = f"{response.content.decode()} {response.headers}"
        assert response.status_code in (302, 400, 404)
        assert NUMBER not in shown
        assert "4111-1111" not in shown
        assert "urlpatterns" not in shown
        assert "DEBUG = True" not in shown

    def test_a_defect_shows_neither_body_nor_variables(
        self, debug: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any, **__: Any) -> None:
            hidden = f"{NUMBER} {CVV}"
            raise RuntimeError(f"about {hidden[:16]}")

        monkeypatch.setattr("ficpay.home.render", fail)
        response = Client(raise_request_exception=False).get(
            f"/?q={CVV}", headers={"Accept": "text/html", "User-Agent": CVV, "Cookie": f"a={CVV}"}
        )
        shown = response.content.decode()
        assert response.status_code == 500
        assert debug == ("Traceback" in shown)
        assert NUMBER not in shown
        assert CVV not in shown


class TestSmuggledCards:
    """A card number in places that are not for it is never stored; the secrecy tests search everything."""

    def test_headers_and_queries_are_not_stored(self, live: ApiClient, bank: SimulatedBank) -> None:
        answer = live.post(
            "/payments", order(), **{"User-Agent": NUMBER, "X-Request-ID": NUMBER, "Referer": NUMBER}
        )
        assert answer.status == 201
        assert NUMBER not in f"{answer.body.decode()} {answer.headers}"

    @pytest.mark.parametrize(
        "hidden", [NUMBER, "4111 1111 1111 1111", "4111-1111-1111-1111", f"a{NUMBER}b", "٤١١١١١١١١١١١١١١١"]
    )
    @pytest.mark.parametrize(
        "field", ["description", "metadata", "order_id", "customer_id", "customer_email"]
    )
    def test_fields_refuse_it_however_it_is_written(
        self, mistaken: ApiClient, field: str, hidden: str
    ) -> None:
        value: Any = {"note": hidden} if field == "metadata" else hidden
        answer = mistaken.post("/payments", order(**{field: value}))
        assert [error["field"].partition(".")[0] for error in answer.json["errors"]] == [field]
        assert hidden not in answer.body.decode()

    def test_merchants_are_not_named_to_strangers(self, mistaken: ApiClient) -> None:
        Merchant.objects.update(name="Secretive")
        assert (
            "Secretive" not in mistaken.call("GET", "/payments", headers={"Authorization": ""}).body.decode()
        )
