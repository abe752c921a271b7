"""The search follows the events: nothing is missed, whoever commits late, dies or runs twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from office.search import follow
from office.search.follow import Follower
from office.search.models import FollowedEvents, FoundName, FoundPayment
from payments.domain.states import OperationKind
from payments.models import Event, Payment
from tests.database.sql import update
from tests.settings import POSTGRES
from tests.support.factories import AttemptFactory, EventFactory, OperationFactory, PaymentFactory
from tests.support.unguarded import unguarded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "_NUMBERED_WITHIN", timedelta(0))


@contextmanager
def another_session() -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(POSTGRES.url(connection.settings_dict["NAME"])) as session:
        yield session


def note(session: "psycopg.Connection[Any]", payment: Payment) -> int:
    """An event of the payment's, as its id; of the session's transaction."""
    row = session.execute(
        "INSERT INTO payments_event (payment_id, type, actor, request_id, evidence)"
        " VALUES (%s, 'note.added', 'x', '', '{}') RETURNING id",
        [payment.pk],
    ).fetchone()
    assert row is not None
    return int(row[0])


def found() -> set[Any]:
    return set(FoundPayment.objects.values_list("pk", flat=True))


def settled() -> int:
    return FollowedEvents.objects.get().settled_id


def made(**fields: Any) -> Payment:
    """A payment with its first event."""
    payment = PaymentFactory(**fields)
    EventFactory(payment=payment, type=Event.Type.PAYMENT_CREATED)
    return payment


class TestATransactionThatCommitsLate:
    def test_is_not_missed(self) -> None:
        late, early = PaymentFactory(), PaymentFactory()
        follower = Follower()
        with another_session() as slow, another_session() as quick:
            first = note(slow, late)
            second = note(quick, early)
            assert first < second
            quick.commit()
            for _ in range(5):
                follower.step()
            assert found() == {early.pk}
            assert settled() < first
            slow.commit()
            follower.step()
        assert found() == {early.pk, late.pk}
        for _ in range(3):
            follower.step()
        assert settled() == second

    def test_is_not_missed_by_a_process_that_begins_meanwhile(self) -> None:
        late, early = PaymentFactory(), PaymentFactory()
        with another_session() as slow:
            note(slow, late)
            EventFactory(payment=early, type=Event.Type.PAYMENT_CREATED)
            for _ in range(5):
                Follower().step()
            slow.commit()
            Follower().step()
        assert found() == {early.pk, late.pk}

    def test_is_not_waited_for_once_it_is_undone(self) -> None:
        payment = PaymentFactory()
        follower = Follower()
        with another_session() as slow:
            note(slow, payment)
            last = EventFactory(payment=made(), type=Event.Type.NOTE_ADDED)
            for _ in range(4):
                follower.step()
            assert settled() < last.pk
            slow.rollback()
        for _ in range(3):
            follower.step()
        assert settled() == last.pk
        assert follower._known.missing == []

    def test_may_have_begun_before_the_search_was_there_at_all(self) -> None:
        late = PaymentFactory()
        with another_session() as slow:
            note(slow, late)
            follow.rebuild()
            follow.catch_up()
            slow.commit()
        follow.catch_up()
        assert found() == {late.pk}


class TestSeveralProcesses:
    def test_one_works_and_the_others_wait(self) -> None:
        payment = made()
        follow.rebuild()
        with another_session() as other:
            other.execute("SELECT FROM office_followedevents FOR UPDATE")
            assert Follower().step() is None
            assert not follow.catch_up()
            assert found() == set()
        assert Follower().step() is False
        assert found() == {payment.pk}

    def test_take_turns(self) -> None:
        one, other = Follower(), Follower()
        payments = []
        for follower in (one, other) * 4:
            payments.append(made())
            follower.step()
        assert found() == {payment.pk for payment in payments}
        for follower in (one, other) * 2:
            follower.step()
        assert settled() == Event.objects.order_by("-pk")[0].pk


class TestAfterAnAbsence:
    def test_all_is_read_in_batches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(follow, "BATCH", 3)
        payments = [made() for _ in range(10)]
        follower = Follower()
        steps = 1
        while follower.step():
            steps += 1
        assert steps == 4
        assert found() == {payment.pk for payment in payments}

    def test_what_is_not_settled_is_read_in_batches_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        payments = [made() for _ in range(10)]
        Follower().step()
        FoundPayment.objects.all().delete()
        monkeypatch.setattr(follow, "BATCH", 3)
        follow.catch_up()
        assert found() == {payment.pk for payment in payments}

    def test_the_lag_is_the_age_of_the_first_event_that_is_not_read(self) -> None:
        now = datetime.now(UTC)
        assert follow.lag(now) == timedelta(0)
        EventFactory(type=Event.Type.PAYMENT_CREATED, at=now - timedelta(seconds=14))
        EventFactory(type=Event.Type.PAYMENT_CREATED, at=now)
        assert follow.lag(now) == timedelta(seconds=14)
        assert follow.behind(now) == "14 s"
        follow.catch_up()
        assert follow.lag(now) == timedelta(0)
        assert follow.behind(now) == ""

    def test_a_lag_that_nobody_notices_is_none(self) -> None:
        now = datetime.now(UTC)
        EventFactory(type=Event.Type.PAYMENT_CREATED, at=now - timedelta(seconds=2))
        assert follow.behind(now) == ""


class TestWhatIsFound:
    def test_is_the_payment_as_it_is_now(self) -> None:
        payment = made(description="Blue Mug", customer_email="Kim@Example.org", card_last4="4242")
        follow.catch_up()
        with unguarded():
            update(payment, state="DECLINED", decline_code="declined", declined_at=datetime.now(UTC))
        EventFactory(payment=payment, type=Event.Type.PAYMENT_DECLINED)
        follow.catch_up()
        row = FoundPayment.objects.get()
        assert (row.state, row.decline_code) == ("DECLINED", "declined")
        assert (row.email, row.card_last4, row.words) == ("kim@example.org", "4242", "'blue':1 'mug':2")
        for name in ("merchant_id", "mode", "order_id", "customer_id", "amount_minor", "created_at"):
            assert getattr(row, name) == getattr(payment, name), name

    def test_has_the_names_of_its_parts(self) -> None:
        payment = PaymentFactory(authorized=True, bank_authorization_id="auth_1")
        authorize = OperationFactory(payment=payment, succeeded=True, request_id="request-a")
        AttemptFactory(operation=authorize, bank_reference="auth_lost")
        AttemptFactory(operation=authorize, number=2, silent=True)
        OperationFactory(payment=payment, kind=OperationKind.CAPTURE, request_id="request-c")
        EventFactory(payment=payment, type=Event.Type.PAYMENT_AUTHORIZED)
        follow.catch_up()
        names = FoundName.objects.filter(payment_id=payment.pk).values_list("name", flat=True)
        assert set(names) == {"auth_1", "auth_lost", "request-a", "request-c"}

    def test_is_written_anew_where_that_is_asked_for(self, capsys: pytest.CaptureFixture[str]) -> None:
        payment = made(order_id="order-1")
        for _ in range(4):
            follow.catch_up()
        FoundPayment.objects.update(order_id="wrong")
        FoundName.objects.all().delete()
        call_command("search")
        assert FoundPayment.objects.get().order_id == "wrong"
        call_command("search", "--rebuild")
        assert FoundPayment.objects.get().order_id == payment.order_id
        assert "up to date" in capsys.readouterr().out

    def test_stays_untouched_where_nothing_has_changed(self) -> None:
        made()
        follow.catch_up()
        query = "SELECT xmin::text FROM office_foundpayment"
        with connection.cursor() as cursor:
            cursor.execute(query)
            before = cursor.fetchall()
            follow.rebuild()
            follow.catch_up()
            cursor.execute(query)
            assert cursor.fetchall() == before

    def test_a_step_that_fails_is_done_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        payment = made()
        follower = Follower()
        with monkeypatch.context() as patched:
            patched.setattr(follow, "_settle", _fail)
            with pytest.raises(RuntimeError):
                follower.step()
        assert found() == set()
        follower.step()
        assert found() == {payment.pk}


def _fail(*_: Any) -> None:
    raise RuntimeError
