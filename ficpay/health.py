"""Whether this process lives, and whether it can do its work.

Readiness fails on what no request can do without: the database and its migrations. The worker, recovery, the
back office's search and the banks are shown, not judged: without them reads and replays still work.
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
from payments.models import Heartbeat
from payments.usecases.heartbeats import RECOVERY, SEARCH, WORKER, is_alive


@never_cache
@require_safe
def live(_request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers."""
    return JsonResponse({"status": "live"})


@never_cache
@require_safe
def ready(_request: HttpRequest) -> JsonResponse:
    """200 with the database reachable and migrated, else 503; the rest is information."""
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
    banks = {
        name: {"status": "healthy" if healthy else "unhealthy", "checked_at": worker.beat_at.isoformat()}
        for name, healthy in (worker.banks if worker else {}).items()
        if worker
    }
    search = _life(beats.get(SEARCH)) | {"lag_seconds": int(lag(timezone.now()).total_seconds())}
    return {
        "worker": _life(worker),
        "recovery": _life(beats.get(RECOVERY)),
        "search": search,
        "banks": banks,
    }


def _life(beat: Heartbeat | None) -> dict[str, Any]:
    if beat is None:
        return {"status": "never seen"}
    alive = is_alive(beat, timezone.now())
    life = {"status": "alive" if alive else "silent", "last_beat_at": beat.beat_at.isoformat()}
    return life | ({"passed_over": len(beat.passed_over)} if beat.passed_over else {})
