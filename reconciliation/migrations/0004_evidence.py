"""Statements as evidence of outcomes, and where a run resumes."""

from pathlib import Path

from django.db import migrations, models

import payments.migrations

EVIDENCE = Path(__file__).parent / 'evidence'
GUARDS = Path(payments.migrations.__file__).parent / 'guards'


def functions(name: str) -> str:
    """The functions of a guard of payments as they are now, in the place of those of a database made before."""
    text = (GUARDS / f'{name}.sql').read_text()
    return text[: text.index('\nCREATE TRIGGER')].replace('CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION')


class Migration(migrations.Migration):

    dependencies = [
        ('reconciliation', '0003_fee_of'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='resumes_from',
            field=models.JSONField(default=dict),
        ),
        migrations.RunSQL(
            [(EVIDENCE / 'statements.sql').read_text(), functions('operation'), functions('payment')],
            migrations.RunSQL.noop,
        ),
    ]
