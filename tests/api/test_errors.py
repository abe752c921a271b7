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
    def test_a_read_takes_get_and_head(self, mistaken: ApiClient) -> None:
        for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO", NUMBER):
            for path in READS[1:]:
                case, answer = (method, path), mistaken.call(method, path)
                assert (answer.status, answer.json["code"]) == (405, "method_not_allowed"), case
                assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD"}, case
                assert NUMBER not in answer.body.decode(), case

    def test_an_operation_takes_post(self, mistaken: ApiClient) -> None:
        headers = {"Authorization": f"Bearer {mistaken.key}"}
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
            for path in WRITES:
                response = Client().generic(method, f"/api/v1{path}?a=1", headers=headers)
                assert (response.status_code, response.headers["Allow"]) == (405, "POST"), (method, path)
                assert response.headers["Content-Type"] == "application/problem+json", (method, path)

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
    def test_json_is_answered_whatever_is_accepted(self, mistaken: ApiClient) -> None:
        for accept in ("text/html", "application/xml", "image/*", ";;", "application/json;q=0"):
            assert mistaken.call("GET", "/payments", headers={"Accept": accept}).status == 200, accept
            assert mistaken.call("GET", "/payments/x", headers={"Accept": accept}).status == 404, accept
            assert mistaken.call("GET", "/nothing", headers={"Accept": accept}).status == 404, accept

    def test_a_type_a_title_and_a_detail_are_of_the_code(self, mistaken: ApiClient) -> None:
        problem = mistaken.get("/payments/x").json
        assert problem["type"] == "/problems/not_found"
        assert problem["title"] == "Not found"
        assert problem["detail"] == "There is no such payment."

    def test_a_payment_that_is_none_is_told_in_the_same_words_everywhere(self, mistaken: ApiClient) -> None:
        for payment_id in ("x", f"pay_{'0' * 32}"):
            address = f"/payments/{payment_id}"
            answers = [mistaken.get(address), mistaken.get(f"{address}/events")]
            answers += [mistaken.post(f"{address}/{verb}") for verb in ("capture", "void", "refund")]
            told = {(answer.json["title"], answer.json["detail"]) for answer in answers}
            assert told == {("Not found", "There is no such payment.")}, payment_id

    @pytest.mark.usefixtures("debug")
    def test_an_unknown_address_is_a_problem_with_and_without_debug(self) -> None:
        for path in ("/api/v1/nothing", "/api/v1/a%0Ab", "/api", "/api/", "/api/v1/", "/api/v2/payments"):
            response = Client().get(path)
            assert response.status_code == 404, path
            assert response.headers["Content-Type"] == "application/problem+json", path
            assert response.json()["code"] == "not_found", path

    @pytest.mark.usefixtures("debug")
    def test_writing_to_an_unknown_address_is_a_404_problem(self) -> None:
        """A slash too many was the page of a form that is too old."""
        for path in ("payments/", "nothing", f"payments/pay_{'0' * 32}/capture/", ""):
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                response = Client(enforce_csrf_checks=True).generic(method, f"/api/v1/{path}", b"{}")
                assert (response.status_code, response.json()["code"]) == (404, "not_found"), (path, method)
                assert response.headers["Content-Type"] == "application/problem+json", (path, method)
                assert response.json()["money_moved"] == "no", (path, method)

    @pytest.mark.usefixtures("debug")
    def test_no_error_below_api_is_a_page(self) -> None:
        for path in ("/api/docs", "/api/docs/", "/api/schema/", "/api/redoc", "/api/no"):
            for method in ("POST", "PUT", "DELETE"):
                response = Client(enforce_csrf_checks=True).generic(method, path)
                assert response.status_code in (404, 405), (path, method)
                assert response.headers["Content-Type"] == "application/problem+json", (path, method)

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
    def test_plain_http_is_refused_and_not_redirected(self, settings: Any) -> None:
        """Clients follow a redirected POST with a GET, and take its 200 for their payment."""
        settings.HTTPS_ONLY = settings.SECURE_SSL_REDIRECT = True
        for method in ("GET", "POST"):
            response = Client().generic(method, "/api/v1/payments")
            assert (response.status_code, response.json()["code"]) == (403, "permission_denied"), method
            assert "https://" in response.json()["detail"], method
            page = Client().get(response.json()["type"], secure=True).content.decode()
            assert "http://" in page, method
            assert response.json()["next"] in page, method
            assert Client().generic(method, "/api/v1/payments", secure=True).status_code == 401, method
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

    def test_an_unknown_one_is_plain(self, db: None) -> None:
        for path in (
            "/nothing",
            f"/{NUMBER}",
            "/4111-1111-1111-1111?a=4111111111111111",
            f"/admin/{NUMBER}/",
            "/a%0Ab",
        ):
            response = Client().get(path)
            shown = f"{response.content.decode()} {response.headers}"
            assert response.status_code in (302, 400, 404), path
            assert NUMBER not in shown, path
            assert "4111-1111" not in shown, path
            assert "urlpatterns" not in shown, path
            assert "DEBUG = True" not in shown, path

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

    def test_fields_refuse_it_however_it_is_written(self, mistaken: ApiClient) -> None:
        spellings = ("4111 1111 1111 1111", "4111-1111-1111-1111", f"a{NUMBER}b", "٤١١١١١١١١١١١١١١١")
        for hidden in (NUMBER, *spellings):
            for field in ("description", "metadata", "order_id", "customer_id", "customer_email"):
                value: Any = {"note": hidden} if field == "metadata" else hidden
                answer = mistaken.post("/payments", order(**{field: value}))
                named = [error["field"].partition(".")[0] for error in answer.json["errors"]]
                assert named == [field], (field, hidden)
                assert hidden not in answer.body.decode(), (field, hidden)

    def test_merchants_are_not_named_to_strangers(self, mistaken: ApiClient) -> None:
        Merchant.objects.update(name="Secretive")
        assert (
            "Secretive" not in mistaken.call("GET", "/payments", headers={"Authorization": ""}).body.decode()
        )
