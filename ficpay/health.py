"""Liveness and readiness of this process.

Readiness fails only without the database or its migrations, which every request needs. The worker, recovery,
the back office's search and the banks are shown for information: without them, reads and replays still work.
"""

from typing import Any

from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from office.search.follow import lag
from payments.engine.abilities import banks_that_report_health
from payments.engine.responses import timestamp
from payments.models import Heartbeat
from payments.usecases.heartbeats import RECOVERY, SEARCH, WORKER, is_alive


@never_cache
@require_safe
def live(_request: HttpRequest) -> JsonResponse:
    """200 as long as the process can respond."""
    return JsonResponse({"status": "live"})


@never_cache
@require_safe
def ready(_request: HttpRequest) -> JsonResponse:
    """200 if the database is reachable and migrated, otherwise 503. Everything else is for information."""
    report: dict[str, Any] = {"status": "ready", "database": "ok", "migrations": "ok"}
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            report |= {"status": "not ready", "migrations": "missing"}
        else:
            report |= _processes_and_banks()
    except DatabaseError:
        report |= {"status": "not ready", "database": "unreachable", "migrations": "unknown"}
    return JsonResponse(report, status=200 if report["status"] == "ready" else 503)


def _processes_and_banks() -> dict[str, Any]:
    beats = {beat.process: beat for beat in Heartbeat.objects.all()}
    worker = beats.get(WORKER)
    search = _process(beats.get(SEARCH)) | {"lag_seconds": int(lag(timezone.now()).total_seconds())}
    return {
        "worker": _process(worker),
        "recovery": _process(beats.get(RECOVERY)),
        "search": search,
        "banks": {name: _bank(name, worker) for name in banks_that_report_health()},
    }


def _process(beat: Heartbeat | None) -> dict[str, Any]:
    if beat is None:
        return {"status": "never seen"}
    alive = is_alive(beat, timezone.now())
    shown = {"status": "alive" if alive else "silent", "last_beat_at": timestamp(beat.beat_at)}
    return shown | ({"passed_over": len(beat.passed_over)} if beat.passed_over else {})


def _bank(name: str, worker: Heartbeat | None) -> dict[str, Any]:
    """The bank's health as of the worker's last heartbeat."""
    if worker is None or name not in worker.banks:
        return {"status": "unknown", "checked_at": None}
    return {
        "status": "healthy" if worker.banks[name] else "unhealthy",
        "checked_at": timestamp(worker.beat_at),
    }
