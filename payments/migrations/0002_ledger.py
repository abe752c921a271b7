"""The ledger, and the chain of each payment's events."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

HERE = Path(__file__).parent


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0001_payments'),
    ]

    operations = [
        migrations.AddField(
            model_name='event',
            name='digest',
            field=models.BinaryField(null=True),
        ),
        migrations.CreateModel(
            name='LedgerEntry',
            fields=[
                ('event', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='entry', serialize=False, to='payments.event')),
                ('mode', models.CharField(choices=[('live', 'live'), ('test', 'test')], max_length=4)),
                ('bank', models.CharField(max_length=32)),
                ('currency', models.CharField(choices=[('USD', 'USD'), ('EUR', 'EUR'), ('GBP', 'GBP'), ('JPY', 'JPY')], max_length=3)),
                ('merchant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.merchant')),
            ],
        ),
        migrations.CreateModel(
            name='LedgerPosting',
            fields=[
                ('pk', models.CompositePrimaryKey('entry_id', 'account', blank=True, editable=False, primary_key=True, serialize=False)),
                ('account', models.CharField(choices=[('holds', 'holds'), ('holds_contra', 'holds_contra'), ('bank_receivable', 'bank_receivable'), ('merchant_payable', 'merchant_payable')], max_length=32)),
                ('amount_minor', models.BigIntegerField()),
                ('entry', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='postings', to='payments.ledgerentry')),
            ],
        ),
        migrations.RunSQL((HERE / 'ledger' / 'guards.sql').read_text(), migrations.RunSQL.noop),
    ]
