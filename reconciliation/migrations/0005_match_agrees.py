"""Matches are held by a trigger that asks whether they agree, in the place of foreign keys."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

EVIDENCE = Path(__file__).parent / 'evidence'


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0003_settlement'),
        ('reconciliation', '0004_evidence'),
    ]

    operations = [
        migrations.AlterField(
            model_name='match',
            name='line',
            field=models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, primary_key=True, serialize=False, to='reconciliation.statementline'),
        ),
        migrations.AlterField(
            model_name='match',
            name='operation',
            field=models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='match', to='payments.operation'),
        ),
        migrations.RunSQL((EVIDENCE / 'match.sql').read_text(), migrations.RunSQL.noop),
    ]
