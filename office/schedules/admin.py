"""The schedules page: the state of schedules and processes, and a button that runs a schedule now.

django-q's own admin pages are disabled: their form takes the name of any function and would run it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from office.decisions.evidence import CannotResolve
from office.decisions.forms import ReasonForm
from office.decisions.page import Decision, Preview, decision_page
from office.log.actors import staff_of
from office.pages.rendering import render_page
from office.pages.words import BAD, GOOD, WAITING, age, label, utc
from office.schedules import scheduled
from office.schedules.scheduled import Process, Scheduled
from office.schedules.schedules import run_now
from payments.models.clock import read_clock

VIEW = "payments.view_schedules"
RUN = "payments.run_schedules"


@dataclass(frozen=True)
class Row:
    """A schedule in words, for the table."""

    of: Scheduled
    often: str
    state: SafeString
    ended: SafeString | str
    took: str
    next: SafeString | str


def urls() -> list[URLPattern]:
    """The URLs below /admin/schedules/."""
    site = admin.site
    return [
        path("", site.admin_view(require_safe(never_cache(page))), name="schedules"),
        path("<slug:name>/run/", site.admin_view(never_cache(run)), name="run_schedule"),
    ]


def page(request: HttpRequest) -> HttpResponse:
    """All schedules, and the processes that they depend on."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    now = read_clock()
    found, processes = scheduled.schedules(now), scheduled.processes(now)
    context = {
        "title": "Schedules",
        "advice": _advice(found, processes),
        "processes": [(process, _life(process, now), utc(process.beat_at)) for process in processes],
        "rows": [_row(one) for one in found],
        "may_run": request.user.has_perm(RUN),
    }
    return render_page(request, "office/schedules.html", context)


def run(request: HttpRequest, name: str) -> HttpResponse:
    """The page that has the worker run a schedule now."""
    if not request.user.has_perm(RUN):
        raise PermissionDenied
    now = read_clock()
    one = next((one for one in scheduled.schedules(now) if one.name == name), None)
    if one is None:
        raise Http404
    worker, *_ = scheduled.processes(now)
    when = "within half a minute" if worker.is_alive else "when it is started; it is not running now"

    def decide(given: dict[str, Any]) -> str:
        if run_now(staff_of(request), name, reason=given["reason"]):
            return f"{name} is due. The worker runs it {when}."
        raise CannotResolve(f"{name} is already due. The worker runs it as soon as it can.")

    row = _row(one)
    return decision_page(
        request,
        Decision(
            title=f"Run {name} now",
            about=[
                ("Schedule", f"{one.what} {row.often.capitalize()}."),
                ("State", row.state),
                ("Next run", row.next),
                ("Worker", _life(worker, now)),
            ],
            form=ReasonForm,
            preview=lambda _: Preview(
                [
                    ("Worker", f"Runs it {when}, then {row.often} as before."),
                    ("Payments", "Only what its next run would do anyway. Running it twice does no harm."),
                ]
            ),
            decide=decide,
            back=reverse("schedules"),
        ),
    )


def _row(one: Scheduled) -> Row:
    return Row(
        of=one,
        often=_often(one.minutes),
        state=_state(one),
        ended=utc(one.last.ended_at) if one.last else "never",
        took=_seconds(one.last.took) if one.last else "",
        next=utc(one.next_run) if one.next_run else "never",
    )


def _often(minutes: int) -> str:
    number, unit = (minutes // 60, "hour") if minutes % 60 == 0 else (minutes, "minute")
    return f"every {unit}" if number == 1 else f"every {number} {unit}s"


def _state(one: Scheduled) -> SafeString:
    if one.next_run is None:
        return label("not installed", BAD)
    if one.overdue:
        return label(f"overdue for {age(one.overdue)}", BAD)
    if one.last and not one.last.succeeded:
        return label("failed", BAD)
    if one.is_running:
        return label("running", WAITING)
    return label("on time", GOOD) if one.last else label("never run", WAITING)


def _life(process: Process, now: datetime) -> SafeString:
    if process.beat_at is None:
        return label("never seen", BAD)
    if process.is_alive:
        return label("running", GOOD)
    return label(f"no heartbeat for {age(now - process.beat_at)}", BAD)


def _advice(found: list[Scheduled], processes: list[Process]) -> list[str]:
    """What to do, the most urgent first; empty if all is well."""
    worker, *_ = processes
    if all(one.next_run is None for one in found):
        return [
            "No schedule is installed, because no worker has run on this database yet. Start "
            "`manage.py worker`; it installs them."
        ]
    advice = [
        f"{process.spoken} is not running. Start `{process.command}`. Until then {process.while_away}."
        for process in processes
        if not process.is_alive
    ]
    advice += [
        f"{process.spoken} skips {len(process.passed_over)} operations that it cannot process. See its log "
        "for the errors. " + "; ".join(f"{one}: {why}" for one, why in process.passed_over.items())
        for process in processes
        if process.is_alive and process.passed_over
    ]
    if any(one.next_run is None for one in found):
        advice.append("Some schedules are not installed. Restart `manage.py worker` with this version.")
    if any(one.overdue for one in found) and worker.is_alive:
        advice.append("The worker is running but late. Check its log for what keeps it busy.")
    if any(one.last and not one.last.succeeded for one in found):
        advice.append("A run failed. Check the worker's log for the traceback.")
    return advice


def _seconds(time: timedelta) -> str:
    return f"{max(time.total_seconds(), 0):.1f} s"
