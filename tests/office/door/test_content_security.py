"""Which Content-Security-Policy each page has. That nothing more is needed, the browser tests show."""

import pytest
from django.test import Client


def policy(client: Client, path: str) -> dict[str, str]:
    header = client.get(path)["Content-Security-Policy"]
    return {name: value for name, _, value in (part.partition(" ") for part in header.split("; "))}


@pytest.mark.django_db
class TestContentSecurityPolicy:
    @pytest.mark.parametrize(
        "path",
        ["/", "/nowhere", "/admin/login/", "/api/docs/", "/api/redoc/", "/api/v1/payments", "/health/live"],
    )
    def test_is_there_and_lets_nothing_in_by_default(self, client: Client, path: str) -> None:
        found = policy(client, path)
        assert (found["default-src"], found["frame-ancestors"], found["base-uri"]) == ("'none'",) * 3
        assert "'unsafe-inline'" not in found.get("script-src", "")
        assert "http" not in str(found)

    @pytest.mark.parametrize("path", ["/", "/api/v1/payments"])
    def test_lets_no_script_run_where_there_is_none(self, client: Client, path: str) -> None:
        assert "script-src" not in policy(client, path)

    def test_lets_the_back_office_evaluate_and_nobody_else(self, client: Client) -> None:
        assert policy(client, "/admin/login/")["script-src"] == "'self' 'unsafe-eval'"
        for path in ("/api/docs/", "/api/redoc/"):
            assert policy(client, path)["script-src"] == "'self'"
