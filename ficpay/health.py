"""Whether this process lives, and whether it can do its work.

Readiness fails on what no request can do without: the database and its migrations. The worker and the
banks are shown, not judged: without them reads and replays still work.
"""

from datetime import timedelta
from typing import Any

from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from payments.models import Heartbeat
from payments.services.heartbeats import WORKER

# A beat a minute, and schedules are looked at twice a minute.
_ALIVE_WITHIN = timedelta(minutes=3)


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
            report |= _worker_and_banks()
    except DatabaseError:
        report |= {"status": "not ready", "database": "unreachable", "migrations": "unknown"}
    return JsonResponse(report, status=200 if report["status"] == "ready" else 503)


def _worker_and_banks() -> dict[str, Any]:
    heartbeat = Heartbeat.objects.filter(process=WORKER).first()
    if heartbeat is None:
        return {"worker": {"status": "never seen"}, "banks": {}}
    beat_at = heartbeat.beat_at
    alive = timezone.now() - beat_at < _ALIVE_WITHIN
    return {
        "worker": {"status": "alive" if alive else "silent", "last_beat_at": beat_at.isoformat()},
        "banks": {
            name: {"status": "healthy" if healthy else "unhealthy", "checked_at": beat_at.isoformat()}
            for name, healthy in heartbeat.banks.items()
        },
    }
