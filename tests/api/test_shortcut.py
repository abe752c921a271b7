"""Requests of the API go past the middleware of pages, and keep the headers that all answers have."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils.module_loading import import_string

from tests.support.api_client import ApiClient

SHORTCUT = "ficpay.shortcut.ApiShortcut"
OF_PAGES = settings.MIDDLEWARE[settings.MIDDLEWARE.index(SHORTCUT) + 1 :]


class TestApiShortcut:
    def test_no_middleware_of_pages_sees_a_request_of_the_api(
        self, mistaken: ApiClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise RuntimeError("seen")

        for name in OF_PAGES:
            monkeypatch.setattr(import_string(name), "__call__", fail)
        assert mistaken.get("/payments").status == 200
        assert mistaken.get("/nothing").status == 404
        assert Client(raise_request_exception=False).get("/admin/").status_code == 500

    def test_cookies_are_neither_read_nor_set(self, mistaken: ApiClient) -> None:
        answer = mistaken.call("GET", "/payments", headers={"Cookie": "sessionid=x; csrftoken=not-a-token"})
        assert answer.status == 200
        assert "Set-Cookie" not in answer.headers
        assert "Vary" not in answer.headers

    @pytest.mark.parametrize("path", ["/payments", "/payments/x", "/nothing"])
    def test_its_answers_have_the_headers_of_every_answer(self, mistaken: ApiClient, path: str) -> None:
        headers = mistaken.get(path).headers
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Content-Security-Policy"]
        assert int(headers["Content-Length"]) > 0
