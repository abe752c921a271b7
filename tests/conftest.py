"""What the tests share: a real PostgreSQL, the simulated bank as a process, and a merchant's client."""

import gc
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from django.core.signals import setting_changed
from django.db import connection, transaction
from django.dispatch import receiver
from django.test import TransactionTestCase
from hypothesis import settings as hypothesis

from payments.banks import registry
from payments.banks.registry import bank_named
from payments.domain.states import Mode
from payments.domain.timing import Timing
from payments.engine import orphan_replies
from payments.engine.capacity import capacity_of
from payments.models import Merchant
from payments.usecases.merchants import create_merchant, issue_api_key
from tests.support.api_client import ApiClient
from tests.support.application_role import grant_privileges
from tests.support.simulated_acquirer import SimulatedAcquirer
from tests.support.simulated_bank import SimulatedBank
from tests.support.unguarded import keep_rows_whole

# CI plays the same examples each time, `make fuzz` others. None is judged by how busy the machine is.
hypothesis.register_profile("ci", derandomize=True, database=None, deadline=None)
hypothesis.register_profile("long", deadline=None, max_examples=int(os.environ.get("FUZZ_EXAMPLES", "1000")))
hypothesis.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_collection_finish() -> None:
    """What is loaded by now stays. To look through it for garbage took a seventh of the processor's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


@receiver(setting_changed)
def make_banks_anew(*, setting: str, **_: Any) -> None:
    """A bank is made once, with the settings of that moment."""
    if setting.startswith(("BANK_", "ACQUIRER_")):
        bank_named.cache_clear()


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> Iterator[None]:
    """Start the tests' PostgreSQL when the first test needs a database."""
    from tests.settings import POSTGRES  # noqa: PLC0415 - only where a database is wanted

    with POSTGRES:
        POSTGRES.create_database("ficpay")
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Some tests empty tables by TRUNCATE, which production's guards refuse; after each, `empty_tables`.

    The tests are the tables' owner, and a superuser; the processes that they start are the application.
    """
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname = 'guard_truncate'")
        for table, trigger in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        keep_rows_whole()
        grant_privileges()
        connection.close()
    with mock.patch.object(TransactionTestCase, "_fixture_teardown", empty_tables):
        yield


def empty_tables(_test: TransactionTestCase) -> None:
    """What a test has committed is gone, as after Django's own way, and sooner.

    That truncates every table, used or not, and makes all permissions anew, which here just stay. Whoever a
    test has left behind ends first, as there: the locks wait for that. So does an answer that waits to be
    recorded, or the next test would find its case.
    """
    _wait_while(lambda: orphan_replies._keeper._is_working)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("""
            DO $$ DECLARE name regclass; is_used boolean; BEGIN
                SET LOCAL session_replication_role = replica;
                SET LOCAL lock_timeout = 0;
                FOR name IN
                    SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
                    AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
                LOOP
                    EXECUTE format('LOCK TABLE %s', name);
                    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', name) INTO is_used;
                    IF is_used THEN EXECUTE format('DELETE FROM %s', name); END IF;
                END LOOP;
            END $$""")


class OurBank(SimulatedBank):
    """The simulated bank that this process's bank threads ask."""

    def clear_script(self) -> None:
        """As soon as attempts on their way have met the script: a client may have its 202 before they end.

        Calls that hang at the bank may go on. Nor is a thread waited for that a test has stopped elsewhere.
        """
        _wait_while(lambda: bank_threads_at_work() > self.waiting(), seconds=2)
        super().clear_script()


@pytest.fixture(scope="session")
def bank_process() -> Iterator[SimulatedBank]:
    with OurBank() as bank:
        yield bank


@pytest.fixture
def bank(bank_process: SimulatedBank, settings: Any) -> Iterator[SimulatedBank]:
    """The simulated bank, empty and in fair weather, behind the gateway's `ficmart`."""
    bank_process.reset()
    settings.BANK_URL = bank_process.url
    capacity_of.cache_clear()
    yield bank_process
    bank_process.release()
    wait_for_bank_threads()


@pytest.fixture(scope="session")
def acquirer_process() -> Iterator[SimulatedAcquirer]:
    with SimulatedAcquirer() as acquirer:
        yield acquirer


@pytest.fixture
def acquirer(acquirer_process: SimulatedAcquirer, settings: Any) -> Iterator[SimulatedAcquirer]:
    """The simulated acquirer, with empty books and in fair weather, behind the gateway's `acquirer`."""
    acquirer_process.reset()
    settings.ACQUIRER_URL = acquirer_process.url
    capacity_of.cache_clear()
    yield acquirer_process
    acquirer_process.release()
    wait_for_bank_threads()


def wait_for_bank_threads(seconds: float = 60) -> None:
    """Until no bank thread works any more: what one test left running must not reach into the next."""
    _wait_while(lambda: bank_threads_at_work() > 0, seconds)
    assert bank_threads_at_work() == 0


def _wait_while(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while holds() and time.monotonic() < deadline:
        time.sleep(0.01)


def bank_threads_at_work() -> int:
    return sum(capacity_of(name).threads.busy for name in registry.NAMES)


def forget_pace(*, retries: int = 10) -> None:
    """As in a new process: no breaker is open, and there are so many retries (at most 10)."""
    for name in registry.NAMES:
        capacity = capacity_of(name)
        capacity.breaker.__init__()  # type: ignore[misc]
        capacity.retries.__init__()  # type: ignore[misc]
        assert all(capacity.retries.spend() for _ in range(10 - retries))


@pytest.fixture
def merchant(transactional_db: None) -> Merchant:
    return create_merchant(slug="ficmart", name="FicMart")


@pytest.fixture
def live(merchant: Merchant) -> ApiClient:
    """FicMart's order service with its live key: its bank is the simulated one."""
    return ApiClient(issue_api_key(slug=merchant.slug, mode=Mode.LIVE).plain)


@pytest.fixture
def test_mode(merchant: Merchant) -> ApiClient:
    """FicMart's order service with its test key: its bank is the sandbox."""
    return ApiClient(issue_api_key(slug=merchant.slug, mode=Mode.TEST).plain)


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Wait until something is true, and return it."""

    def wait(condition: Callable[[], Any], seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.01)
        return found

    return wait


@pytest.fixture
def quick(settings: Any, bank: SimulatedBank) -> Timing:
    """Bounds of a second or so, in the proportions of the real ones."""
    settings.BANK_TIMING = Timing(
        connect=0.5,
        read=0.6,
        attempt=1.5,
        start_window=1.0,
        client_wait=1.6,
        lease_margin=2.5,  # a busy machine asks for the bank's health for a while
        backoff_base=0.2,
        backoff_cap=0.5,
    )
    timing: Timing = settings.BANK_TIMING
    return timing


@pytest.fixture
def brief(settings: Any, quick: Timing) -> Timing:
    """As `quick`, with hardly any time for second attempts: for operations that are to end in doubt."""
    settings.BANK_TIMING = replace(quick, start_window=0.15, backoff_base=0.05, backoff_cap=0.1)
    timing: Timing = settings.BANK_TIMING
    return timing


@pytest.fixture
def scripted(settings: Any, bank: SimulatedBank) -> Timing:
    """For banks that end every call at once, by a script. No bound of time is met, however busy the machine.

    The number of retries bounds an operation instead: three in each test.
    """
    settings.BANK_TIMING = Timing(
        connect=5,
        read=20,
        attempt=30,
        start_window=15,
        client_wait=25,
        lease_margin=15,
        backoff_base=0.01,
        backoff_cap=0.02,
    )
    forget_pace(retries=3)
    timing: Timing = settings.BANK_TIMING
    return timing
