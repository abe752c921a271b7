"""The holds that a bank's statement must still show or rule out are counted, instead of marked as some.

An attempt says whether the bank has certainly stopped working on it.
"""

from django.db import migrations, models
from django.db.models.lookups import GreaterThan

# Each silent attempt may have made one; a stored answer is that of one of them.
COUNT = """
UPDATE payments_operation o SET strays_awaited = greatest(1, (
    SELECT count(*) FROM payments_attempt a
    WHERE a.operation_id = o.id AND NOT a.is_probe AND a.result IN ('', 'silent')
) - CASE WHEN EXISTS (
    SELECT 1 FROM payments_attempt a WHERE a.operation_id = o.id AND o.state = 'SUCCEEDED'
        AND a.is_replay AND a.bank_reference = o.bank_reference
) THEN 1 ELSE 0 END)
WHERE o.awaiting_statement
"""
UNSETTLED = models.Index(
    fields=["created_at"],
    condition=models.Q(state__in=["OPEN", "NEEDS_REVIEW"]) | models.Q(awaiting_statement=True),
    name="operation_unsettled",
)


class Migration(migrations.Migration):
    dependencies = [("payments", "0012_outdated_proposals")]

    operations = [
        migrations.AddField("attempt", "is_over", models.BooleanField(null=True)),
        migrations.AddField("operation", "strays_awaited", models.PositiveSmallIntegerField(default=0)),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
        migrations.RemoveIndex("operation", "operation_unsettled"),
        migrations.RemoveField("operation", "awaiting_statement"),
        migrations.AddField(
            "operation",
            "awaiting_statement",
            models.GeneratedField(
                db_persist=True,
                expression=GreaterThan(models.F("strays_awaited"), 0),
                output_field=models.BooleanField(),
            ),
        ),
        migrations.AddIndex("operation", UNSETTLED),
    ]
