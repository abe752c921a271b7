"""The fee of a capture, for many rows at once."""

from pathlib import Path

from django.db import migrations

FUNCTIONS = Path(__file__).parent / 'functions'


class Migration(migrations.Migration):

    dependencies = [
        ('reconciliation', '0002_bank_check'),
    ]

    operations = [
        migrations.RunSQL((FUNCTIONS / 'fee_of.sql').read_text(), migrations.RunSQL.noop),
    ]
