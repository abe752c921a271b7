"""`manage.py search --watch`: payments are found moments after, whatever happens to the database."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from office.search import follow
from office.search.models import FoundPayment
from payments.models import Heartbeat
from tests.settings import POSTGRES
from tests.support.api_client import ApiClient
from tests.support.gateway_server import PROJECT, environment_of_a_process
from tests.support.simulated_bank import SimulatedBank

Until = Callable[[Callable[[], Any]], Any]


def test_it_finds_payments_moments_after_they_are_made(
    live: ApiClient, bank: SimulatedBank, until: Until
) -> None:
    with subprocess.Popen(
        [sys.executable, "manage.py", "search", "--watch"],
        cwd=PROJECT, env=environment_of_a_process(bank.url),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            until(lambda: Heartbeat.objects.filter(process="search").exists())
            live.authorized()
            until(lambda: FoundPayment.objects.filter(state="AUTHORIZED").exists())
            connection.close()
            POSTGRES.stop()
            time.sleep(1)
            POSTGRES.start()
            live.authorized()
            until(lambda: FoundPayment.objects.count() == 2)
            shown = Client().get("/health/ready").json()["search"]
            assert (shown["status"], shown["lag_seconds"]) == ("alive", 0)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()


@pytest.mark.django_db(transaction=True)
def test_it_looks_twice_a_second_and_never_waits_longer() -> None:
    """By what it asks for: how long it takes on a busy machine says nothing."""
    asked: list[float | None] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            asked.append(timeout)
            if len(asked) == 3:
                self.set()
            return self.is_set()

    follow.watch(Stop())
    assert asked == [0.5] * 3
