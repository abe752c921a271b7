"""What the database refuses, whoever asks: a function per table and event that names each rule of the row.

The rules stand in `guards_0015/`, as SQL. They name tables with their schema, so that no temporary table can
stand for one. They take the place of pgtrigger's, which any session can switch off.
"""

from pathlib import Path

import pgtrigger.migrations
from django.db import migrations

GUARDS = Path(__file__).parent / "guards_0015"
PGTRIGGERS = {
    "apirequest": ["never_changed"],
    "attempt": ["ended_once", "fixed_at_start", "never_deleted", "never_truncated"],
    "discrepancy": ["never_deleted", "never_truncated"],
    "event": ["never_changed", "never_deleted", "never_truncated"],
    "operation": [
        *("legal_transitions", "starts_as", "fixed_at_intent", "reference_written_once"),
        *("fixed_when_finished", "epoch_only_grows", "never_deleted", "never_truncated"),
    ],
    "payment": [
        *("legal_transitions", "starts_as", "fixed_at_creation", "references_written_once"),
        *("history_written_once", "never_deleted", "never_truncated"),
    ],
    "resolution": ["decided_once", "fixed_when_proposed", "never_deleted", "never_truncated"],
}
FUNCTIONS = [
    *("payment_insert", "payment_update", "operation_insert", "operation_update", "release"),
    *("attempt_insert", "attempt_update", "event_insert", "api_request_insert", "api_request_delete"),
    *("idempotency_key_insert", "idempotency_key_update", "idempotency_key_delete"),
    *("discrepancy_insert", "discrepancy_update", "discrepancy_closed"),
    *("resolution_insert", "resolution_update", "assignment_update", "merchant_update", "api_key_update"),
    "kept",
]


class Migration(migrations.Migration):
    dependencies = [("payments", "0013_silent_attempts")]

    operations = [
        *(
            pgtrigger.migrations.RemoveTrigger(model_name=model, name=name)
            for model, names in PGTRIGGERS.items()
            for name in names
        ),
        migrations.RunSQL(
            [file.read_text() for file in sorted(GUARDS.glob("*.sql"))],
            "".join(f"DROP FUNCTION guard_{name} CASCADE;\n" for name in FUNCTIONS),
        ),
    ]
