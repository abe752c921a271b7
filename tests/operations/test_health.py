"""Whether the process lives and can work: readiness fails on the database and its migrations only."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.db import connection
from django.test import Client

from payments.models import Heartbeat
from tests.support.gateway_server import GatewayServer
from tests.support.simulated_bank import PORTS

READY = ["/health", "/health/ready", "/readiness"]


class TestLiveness:
    def test_it_asks_nobody(self) -> None:
        response = Client().get("/health/live")
        assert (response.status_code, response.json()) == (200, {"status": "live"})

    def test_it_is_never_cached(self, db: None) -> None:
        for path in ("/health/live", *READY):
            assert "no-store" in Client().get(path).headers["Cache-Control"], path

    def test_head_will_do_and_writing_will_not(self, db: None) -> None:
        for path in ("/health/live", *READY):
            assert Client().head(path).status_code == 200, path
            response = Client().put(path)
            assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD"), path


class TestReadiness:
    def test_a_migrated_database_is_enough(self, db: None) -> None:
        for path in READY:
            response = Client().get(path)
            assert response.status_code == 200, path
            assert response.json() == {
                "status": "ready",
                "database": "ok",
                "migrations": "ok",
                "worker": {"status": "never seen"},
                "recovery": {"status": "never seen"},
                "search": {"status": "never seen", "lag_seconds": 0},
                "banks": {
                    "ficmart": {"status": "unknown", "checked_at": None},
                    "sandbox": {"status": "unknown", "checked_at": None},
                },
            }, path

    @pytest.mark.parametrize(
        ("age", "status"), [(60, "alive"), (170, "alive"), (190, "silent"), (10**6, "silent")]
    )
    def test_the_worker_and_the_banks_are_shown_and_not_judged(self, db: None, age: int, status: str) -> None:
        beat_at = datetime.now(UTC) - timedelta(seconds=age)
        Heartbeat.objects.create(process="worker", beat_at=beat_at, banks={"ficmart": False, "sandbox": True})
        Heartbeat.objects.create(process="recovery", beat_at=beat_at)
        response = Client().get("/health/ready")
        assert response.status_code == 200
        shown_at = beat_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        assert response.json()["recovery"] == {"status": status, "last_beat_at": shown_at}
        assert response.json()["worker"] == {"status": status, "last_beat_at": shown_at}
        banks = {name: bank["status"] for name, bank in response.json()["banks"].items()}
        assert banks == {"ficmart": "unhealthy", "sandbox": "healthy"}
        assert {bank["checked_at"] for bank in response.json()["banks"].values()} == {shown_at}

    def test_a_bank_that_the_worker_has_not_asked_yet_is_unknown(self, db: None) -> None:
        Heartbeat.objects.create(process="worker", beat_at=datetime.now(UTC), banks={"sandbox": True})
        banks = Client().get("/health/ready").json()["banks"]
        assert banks["sandbox"]["status"] == "healthy"
        assert banks["ficmart"] == {"status": "unknown", "checked_at": None}

    def test_a_missing_migration_is_a_503(self, db: None) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'payments'")
        response = Client().get("/health/ready")
        assert response.status_code == 503
        assert response.json() == {"status": "not ready", "database": "ok", "migrations": "missing"}

    @pytest.mark.parametrize("pool", ["0", "2"])
    def test_a_database_that_is_away_is_a_503_and_the_process_lives(
        self, tmp_path: Path, pool: str, django_db_setup: None
    ) -> None:
        nobody = random.choice(PORTS)
        away = {
            "DATABASE_URL": f"postgres://ficpay@127.0.0.1:{nobody}/ficpay",
            "FICPAY_DB_POOL": pool,
            "DJANGO_SETTINGS_MODULE": "tests.operations.impatient_settings",
        }
        with (
            GatewayServer("http://127.0.0.1:1", tmp_path, environment=away) as server,
            requests.Session() as http,
        ):
            http.trust_env = False
            for path in READY:
                answer = http.get(f"{server.url}{path}", timeout=60)
                assert (answer.status_code, answer.json()["database"]) == (503, "unreachable"), path
            assert http.get(f"{server.url}/health/live", timeout=60).status_code == 200
            answer = http.get(
                f"{server.url}/api/v1/payments", headers={"Authorization": "Bearer sk"}, timeout=60
            )
            assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
            assert "127.0.0.1" not in answer.text


class TestHome:
    def test_a_browser_gets_a_page_whose_links_work(self, db: None) -> None:
        response = Client().get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert response.headers["Content-Type"].startswith("text/html")
        for link in ("/api/docs/", "/api/redoc/", "/api/schema/", "/health/ready", "/admin/"):
            assert f'href="{link}"' in response.content.decode()
            assert Client().get(link, follow=True).status_code == 200

    def test_a_program_gets_json_that_says_the_same(self) -> None:
        for accept in ("*/*", "application/json", "", "image/png", "nonsense;;;"):
            headers: dict[str, Any] = {"Accept": accept} if accept else {}
            response = Client().get("/", headers=headers)
            assert response.json()["name"] == "FicPay", accept
            assert response.json()["api_docs"] == "/api/docs/", accept
            assert "Accept" in response.headers["Vary"], accept
