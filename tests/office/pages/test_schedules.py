"""The page of schedules: how it stands with them, and having one run at once, by the worker."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django_q.brokers import get_broker
from django_q.models import OrmQ, Schedule, Task
from django_q.monitor import save_task
from django_q.scheduler import scheduler

from office.schedules import schedules
from payments.models import Event, Heartbeat
from payments.models.clock import read_clock
from payments.usecases.heartbeats import RECOVERY, SEARCH, WORKER
from tests.office.pages.conftest import Staff, text_of

PAGE = "/admin/schedules/"
RUN = "/admin/schedules/expirations/run/"
# Looks like a card: sixteen digits, Visa's first, Luhn-valid. Nobody's.
CARD_NUMBER = "4539578763621486"


def member(name: str, *codenames: str) -> Staff:
    user = User.objects.create_user(name, password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return Staff(user)


@pytest.fixture
def operations(db: None) -> Staff:
    return member("olga", "view_schedules", "run_schedules")


@pytest.fixture
def auditor(db: None) -> Staff:
    return member("ann", "view_schedules")


@pytest.fixture
def at_work(db: None) -> None:
    """Worker, recovery and search live, and every schedule has run half a minute ago."""
    schedules.install()
    now = datetime.now(UTC)
    for process in (WORKER, RECOVERY, SEARCH):
        Heartbeat.objects.create(process=process, beat_at=now - timedelta(seconds=20))
    for row in Schedule.objects.all():
        ended = now - timedelta(seconds=30)
        row.task = ran(row.name, ended).pk
        row.next_run = now + timedelta(seconds=30)
        row.save()


def ran(name: str, ended: datetime, *, success: bool = True, result: Any = 3) -> Task:
    return Task.objects.create(
        id=uuid4().hex,
        name="four-funny-words",
        func="office.schedules.schedules.recover",
        group=name,
        started=ended - timedelta(seconds=1.5),
        stopped=ended,
        success=success,
        result=result,
    )


def put_off(name: str, by: timedelta) -> datetime:
    """Its next run, so much later than now."""
    next_run = datetime.now(UTC) + by
    Schedule.objects.filter(name=name).update(next_run=next_run)
    return next_run


@pytest.mark.usefixtures("at_work")
class TestThePage:
    def test_says_of_each_what_it_does_how_often_and_how_it_went(self, auditor: Staff) -> None:
        shown = auditor.read(PAGE)
        for name, duty in schedules.SCHEDULES.items():
            often = {1: "every minute", 60: "every hour"}[duty.minutes]
            assert f"{name}, {often} {duty.what} on time" in shown
        assert "1.5 s" in shown
        assert "every schedule is on time" in shown
        assert "worker running" in shown
        assert "recovery running" in shown

    def test_says_what_the_last_run_returned(self, auditor: Staff) -> None:
        now = datetime.now(UTC)
        ran("expirations", now, result=1200)
        ran("missing-days", now, result=0)
        ran("search", now, result=False)
        ran("heartbeat", now, result=None)
        shown = auditor.read(PAGE)
        for result in ("payments expired: 1,200", "days without a statement: 0", "left to another process"):
            assert f"UTC {result} took 1.5 s" in shown
        assert shown.count("UTC done took 1.5 s") == 1

    def test_says_that_a_run_has_failed_and_not_with_which_traceback(self, auditor: Staff) -> None:
        ran(
            "recovery", datetime.now(UTC), success=False, result=f"no {CARD_NUMBER} : Traceback (most\nrecent"
        )
        shown = auditor.read(PAGE)
        assert "failed: no " in shown
        assert "A run failed" in shown
        assert "Traceback" not in shown
        assert CARD_NUMBER not in shown
        assert "no 4539" not in shown

    def test_says_that_it_is_overdue_and_what_to_do(self, auditor: Staff) -> None:
        put_off("expirations", timedelta(minutes=-5))
        assert "overdue for 5 min" in auditor.read(PAGE)
        assert "The worker is running but late" in auditor.read(PAGE)
        Heartbeat.objects.filter(process=RECOVERY).delete()
        assert "The worker is running but late" in auditor.read(PAGE)
        Heartbeat.objects.filter(process=WORKER).update(beat_at=datetime.now(UTC) - timedelta(minutes=6))
        shown = auditor.read(PAGE)
        assert "The worker is not running. Start `manage.py worker`" in shown
        assert "no heartbeat for 6 min" in shown

    def test_is_not_overdue_while_the_worker_has_not_looked_yet(self, auditor: Staff) -> None:
        put_off("expirations", timedelta(seconds=-40))
        assert "overdue" not in auditor.read(PAGE)

    def test_is_overdue_if_it_is_started_and_never_ends(self, auditor: Staff) -> None:
        """A run has its timeout, and the next begins an interval later: by then one should have ended."""
        one = schedules.SCHEDULES["expirations"]
        longest = timedelta(minutes=2 * one.minutes, seconds=one.timeout)
        Task.objects.filter(group="expirations").update(stopped=datetime.now(UTC) - longest)
        assert "overdue" not in auditor.read(PAGE)
        Task.objects.filter(group="expirations").update(
            stopped=datetime.now(UTC) - longest - timedelta(minutes=3)
        )
        assert "overdue for 3 min" in auditor.read(PAGE)

    def test_says_that_it_runs(self, auditor: Staff) -> None:
        Schedule.objects.filter(name="recovery").update(task=uuid4().hex)
        assert "in case the recovery process is not running. running" in auditor.read(PAGE)

    def test_says_that_recovery_is_away_and_what_that_means(self, auditor: Staff) -> None:
        Heartbeat.objects.filter(process=RECOVERY).delete()
        shown = auditor.read(PAGE)
        assert "recovery never seen" in shown
        assert "Start `manage.py reconcile pending --watch`. Until then the schedule “recovery”" in shown

    def test_says_that_one_is_missing(self, auditor: Staff) -> None:
        Schedule.objects.filter(name="recovery").delete()
        shown = auditor.read(PAGE)
        assert "not installed" in shown
        assert "Restart `manage.py worker` with this version" in shown

    def test_offers_nothing_to_those_who_may_only_look(self, auditor: Staff, operations: Staff) -> None:
        assert "Run now" not in auditor.read(PAGE)
        assert operations.read(PAGE).count("Run now…") == len(schedules.SCHEDULES)
        assert auditor.client.get(RUN).status_code == 403

    def test_is_in_the_menu_of_those_who_may_see_it(self, auditor: Staff, stranger: Staff) -> None:
        assert PAGE in auditor.client.get("/admin/").content.decode()
        assert PAGE not in stranger.client.get("/admin/").content.decode()


class TestWithoutAWorker:
    def test_the_page_says_how_to_start_one(self, operations: Staff) -> None:
        shown = operations.read(PAGE)
        assert (
            "No schedule is installed, because no worker has run on this database yet. Start `manage.py"
            in shown
        )
        assert "worker never seen" in shown
        assert "Run now" not in shown

    def test_nothing_can_be_run(self, operations: Staff) -> None:
        done = operations.client.post(RUN, {"reason": "now", "confirmed": "yes"}, follow=True)
        assert "Nothing changed." in text_of(done.content.decode())
        assert not Event.objects.exists()


@pytest.mark.usefixtures("at_work")
class TestRunNow:
    def test_makes_it_due_with_a_reason_in_the_log_and_runs_nothing_itself(self, operations: Staff) -> None:
        before = read_clock()
        preview = operations.client.post(RUN, {"reason": "a hold is late"}, follow=True)
        assert "Runs it within half a minute" in text_of(preview.content.decode())
        assert not Event.objects.exists()
        done = operations.client.post(RUN, {"reason": "a hold is late", "confirmed": "yes"}, follow=True)
        assert "expirations is due. The worker runs it within half a minute." in text_of(
            done.content.decode()
        )
        next_run = Schedule.objects.get(name="expirations").next_run
        assert next_run is not None
        assert before <= next_run <= read_clock()
        event = Event.objects.get()
        assert (event.type, event.actor) == ("schedule.run_now", "staff:olga")
        assert event.evidence == {
            "schedule": "expirations",
            "reason": "a hold is late",
            "user": User.objects.get(username="olga").pk,
            "from": "127.0.0.1",
        }
        assert not OrmQ.objects.exists()

    @pytest.mark.django_db(transaction=True)  # the scheduler opens a connection of its own
    def test_hands_it_to_the_worker_once(self, operations: Staff) -> None:
        operations.client.post(RUN, {"reason": "a hold is late", "confirmed": "yes"})
        for _ in range(2):
            scheduler(broker=get_broker())
        (task,) = OrmQ.objects.all()
        assert task.func() == "office.schedules.schedules.expire"

    def test_says_that_the_worker_has_to_be_started_first(self, operations: Staff) -> None:
        Heartbeat.objects.filter(process=WORKER).delete()
        preview = operations.client.post(RUN, {"reason": "a hold is late"}, follow=True)
        assert "Runs it when it is started; it is not running now" in text_of(preview.content.decode())

    def test_leaves_what_is_overdue_as_it_is_and_says_so(self, operations: Staff) -> None:
        next_run = put_off("expirations", timedelta(minutes=-5))
        done = operations.client.post(RUN, {"reason": "now", "confirmed": "yes"}, follow=True)
        assert "Nothing changed. expirations is already due" in text_of(done.content.decode())
        assert Schedule.objects.get(name="expirations").next_run == next_run
        assert not Event.objects.exists()

    @pytest.mark.parametrize("reason", ["", f"card {CARD_NUMBER}", "x" * 501])
    def test_needs_a_reason(self, operations: Staff, reason: str) -> None:
        next_run = Schedule.objects.get(name="expirations").next_run
        refused = operations.client.post(RUN, {"reason": reason, "confirmed": "yes"}, follow=True)
        assert refused.context["form"].errors["reason"]
        assert Schedule.objects.get(name="expirations").next_run == next_run
        assert not Event.objects.exists()

    def test_knows_the_schedules_of_this_version_only(self, operations: Staff) -> None:
        Schedule.objects.create(name="other", func="os.getcwd", schedule_type=Schedule.ONCE)
        for name in ("other", "os.getcwd", "nothing"):
            assert operations.client.get(f"/admin/schedules/{name}/run/").status_code == 404


@pytest.mark.usefixtures("at_work")
class TestWhatIsKept:
    def test_is_the_newest_of_each_however_often_the_others_run(self) -> None:
        Task.objects.exclude(group="recovery").delete()
        now = datetime.now(UTC)
        for number in range(102):
            task = {
                "id": uuid4().hex,
                "name": str(number),
                "func": "f",
                "args": (),
                "kwargs": {},
                "sync": True,
            }
            task |= {"group": "heartbeat", "started": now, "stopped": now, "result": 1, "success": True}
            save_task(task, get_broker())
        assert Task.objects.filter(group="heartbeat").count() == 100
        assert Task.objects.filter(group="recovery").count() == 1
