"""Statements, differences, settlements, and what the database refuses of them."""

from pathlib import Path

import django.db.models.deletion
import django.db.models.expressions
import payments.domain.ids
import payments.models.clock
from django.conf import settings
from django.db import migrations, models

GUARDS = Path(__file__).parent / 'guards'


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('payments', '0003_settlement'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='StatementLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.IntegerField()),
                ('bank', models.CharField(max_length=32)),
                ('kind', models.CharField(choices=[('authorize', 'authorize'), ('capture', 'capture'), ('void', 'void'), ('refund', 'refund'), ('release', 'release')], max_length=16)),
                ('reference', models.CharField(max_length=64)),
                ('target_reference', models.CharField(blank=True, max_length=64)),
                ('amount_minor', models.IntegerField()),
                ('currency', models.CharField(choices=[('USD', 'USD'), ('EUR', 'EUR'), ('GBP', 'GBP'), ('JPY', 'JPY')], max_length=3)),
                ('at', models.DateTimeField()),
                ('repeats', models.SmallIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='StatementFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('bank', models.CharField(max_length=32)),
                ('sha256', models.CharField(max_length=64, unique=True)),
                ('name', models.CharField(max_length=255)),
                ('form', models.CharField(choices=[('csv', 'csv'), ('camt.053', 'camt.053')], max_length=8)),
                ('covers_from', models.DateTimeField()),
                ('covers_to', models.DateTimeField()),
                ('lines', models.IntegerField()),
                ('new_lines', models.IntegerField()),
                ('imported_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('actor', models.CharField(max_length=100)),
            ],
            options={
                'permissions': [('import_statement', 'Can import bank statements')],
            },
        ),
        migrations.CreateModel(
            name='Difference',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('missing_at_bank', 'In our books, not at the bank'), ('missing_in_books', 'At the bank, not in our books'), ('amount_mismatch', 'Another amount'), ('currency_mismatch', 'Another currency'), ('state_mismatch', 'Done at the bank, recorded as not done'), ('duplicate_at_bank', 'Twice at the bank'), ('orphan_hold', 'A hold that no payment claims'), ('captured_outside', 'Captured outside FicPay'), ('refunded_outside', 'Refunded outside FicPay'), ('voided_outside', 'Voided outside FicPay'), ('statement_missing', 'A day without a statement')], max_length=24)),
                ('state', models.CharField(choices=[('OPEN', 'Open'), ('ASSIGNED', 'Assigned'), ('RESOLVED', 'Resolved'), ('ACCEPTED', 'Accepted')], default='OPEN', max_length=8)),
                ('bank', models.CharField(max_length=32)),
                ('subject', models.CharField(max_length=80)),
                ('amount_minor', models.IntegerField(null=True)),
                ('currency', models.CharField(blank=True, max_length=3)),
                ('happened_at', models.DateTimeField()),
                ('evidence', models.JSONField(default=dict)),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('opened_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('closed_at', models.DateTimeField(null=True)),
                ('merchant', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.merchant')),
                ('operation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='differences', to='payments.operation')),
                ('owner', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('payment', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='differences', to='payments.payment')),
                ('line', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='differences', to='reconciliation.statementline')),
            ],
            options={
                'permissions': [('resolve_difference', 'Can take and accept differences')],
            },
        ),
        migrations.CreateModel(
            name='DifferenceEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('type', models.CharField(choices=[('opened', 'Opened'), ('changed', 'Changed'), ('assigned', 'Assigned'), ('given_back', 'Given Back'), ('resolved', 'Resolved'), ('accepted', 'Accepted'), ('reopened', 'Reopened')], max_length=16)),
                ('at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('actor', models.CharField(max_length=100)),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('evidence', models.JSONField(default=dict)),
                ('difference', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='events', to='reconciliation.difference')),
            ],
        ),
        migrations.CreateModel(
            name='FeeTerms',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mode', models.CharField(choices=[('live', 'live'), ('test', 'test')], max_length=4)),
                ('currency', models.CharField(choices=[('USD', 'USD'), ('EUR', 'EUR'), ('GBP', 'GBP'), ('JPY', 'JPY')], max_length=3)),
                ('basis_points', models.IntegerField(default=0)),
                ('fixed_minor', models.IntegerField(default=0)),
                ('valid_from', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp())),
                ('merchant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='fee_terms', to='payments.merchant')),
            ],
            options={
                'permissions': [('manage_fees', "Can change a merchant's fees")],
            },
        ),
        migrations.CreateModel(
            name='Match',
            fields=[
                ('line', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, serialize=False, to='reconciliation.statementline')),
                ('matched_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
            ],
        ),
        migrations.CreateModel(
            name='Run',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('statements', 'Statements'), ('bank', "The bank's own API")], max_length=16)),
                ('bank', models.CharField(max_length=32)),
                ('actor', models.CharField(max_length=100)),
                ('started_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('ended_at', models.DateTimeField(null=True)),
                ('covers_from', models.DateTimeField(null=True)),
                ('covers_to', models.DateTimeField(null=True)),
                ('counts', models.JSONField(default=dict)),
            ],
            options={
                'permissions': [('view_reconciliation', 'Can view reconciliations and settlements')],
                'indexes': [models.Index(fields=['-started_at', '-id'], name='run_newest')],
            },
        ),
        migrations.AddField(
            model_name='difference',
            name='found_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='found', to='reconciliation.run'),
        ),
        migrations.CreateModel(
            name='Settlement',
            fields=[
                ('id', models.UUIDField(default=payments.domain.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('mode', models.CharField(choices=[('live', 'live'), ('test', 'test')], max_length=4)),
                ('bank', models.CharField(max_length=32)),
                ('currency', models.CharField(choices=[('USD', 'USD'), ('EUR', 'EUR'), ('GBP', 'GBP'), ('JPY', 'JPY')], max_length=3)),
                ('date', models.DateField()),
                ('captured_minor', models.BigIntegerField()),
                ('refunded_minor', models.BigIntegerField()),
                ('fees_minor', models.BigIntegerField()),
                ('corrected_minor', models.BigIntegerField()),
                ('brought_forward_minor', models.BigIntegerField()),
                ('amount_minor', models.BigIntegerField()),
                ('carried_forward_minor', models.BigIntegerField()),
                ('created_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('event', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='settlement', to='payments.event')),
                ('merchant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='settlements', to='payments.merchant')),
            ],
            options={
                'permissions': [('correct_settlement', 'Can correct settled money')],
            },
        ),
        migrations.CreateModel(
            name='Correction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mode', models.CharField(choices=[('live', 'live'), ('test', 'test')], max_length=4)),
                ('bank', models.CharField(max_length=32)),
                ('currency', models.CharField(choices=[('USD', 'USD'), ('EUR', 'EUR'), ('GBP', 'GBP'), ('JPY', 'JPY')], max_length=3)),
                ('amount_minor', models.IntegerField()),
                ('reason', models.CharField(max_length=500)),
                ('actor', models.CharField(max_length=100)),
                ('created_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('event', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='correction', to='payments.event')),
                ('merchant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.merchant')),
                ('operation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.operation')),
                ('of_settlement', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='corrections', to='reconciliation.settlement')),
            ],
        ),
        migrations.CreateModel(
            name='SettlementLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount_minor', models.IntegerField()),
                ('fee_minor', models.IntegerField(default=0)),
                ('correction', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='settlement_line', to='reconciliation.correction')),
                ('operation', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='settlement_line', to='payments.operation')),
                ('settlement', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='reconciliation.settlement')),
            ],
        ),
        migrations.AddField(
            model_name='statementline',
            name='file',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='its_lines', to='reconciliation.statementfile'),
        ),
        migrations.AddIndex(
            model_name='statementfile',
            index=models.Index(fields=['bank', 'covers_from'], name='statement_by_period'),
        ),
        migrations.AddConstraint(
            model_name='statementfile',
            constraint=models.CheckConstraint(condition=models.Q(('covers_from__lt', models.F('covers_to'))), name='statement_covers_time'),
        ),
        migrations.AddConstraint(
            model_name='feeterms',
            constraint=models.UniqueConstraint(fields=('merchant', 'mode', 'currency', 'valid_from'), name='one_fee_at_a_time'),
        ),
        migrations.AddConstraint(
            model_name='feeterms',
            constraint=models.CheckConstraint(condition=models.Q(('basis_points__range', (0, 10000)), ('fixed_minor__gte', 0)), name='fee_within_reason'),
        ),
        migrations.AddField(
            model_name='match',
            name='operation',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='match', to='payments.operation'),
        ),
        migrations.AddIndex(
            model_name='difference',
            index=models.Index(condition=models.Q(('state__in', ['OPEN', 'ASSIGNED'])), fields=['happened_at', 'id'], name='difference_open'),
        ),
        migrations.AddConstraint(
            model_name='difference',
            constraint=models.UniqueConstraint(fields=('bank', 'subject', 'kind'), name='one_case_per_difference'),
        ),
        migrations.AddConstraint(
            model_name='difference',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at', None), ('state__in', ['OPEN', 'ASSIGNED'])), models.Q(('closed_at__isnull', False), ('state__in', ['RESOLVED', 'ACCEPTED'])), _connector='OR'), name='difference_closed_when_it_ends'),
        ),
        migrations.AddConstraint(
            model_name='difference',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'ASSIGNED'), _negated=True), ('owner__isnull', False), _connector='OR'), name='difference_assigned_to_somebody'),
        ),
        migrations.AddConstraint(
            model_name='difference',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'ACCEPTED'), _negated=True), models.Q(('reason', ''), _negated=True), _connector='OR'), name='difference_accepted_for_a_reason'),
        ),
        migrations.AddIndex(
            model_name='settlement',
            index=models.Index(fields=['merchant', 'mode', '-date', '-id'], name='settlement_newest'),
        ),
        migrations.AddConstraint(
            model_name='settlement',
            constraint=models.UniqueConstraint(fields=('merchant', 'mode', 'bank', 'currency', 'date'), name='one_settlement_per_day'),
        ),
        migrations.AddConstraint(
            model_name='settlement',
            constraint=models.CheckConstraint(condition=models.Q(('amount_minor__gte', 0), ('brought_forward_minor__lte', 0), ('carried_forward_minor__lte', 0), models.Q(('amount_minor', 0), ('carried_forward_minor', 0), _connector='OR')), name='settlement_pays_or_carries'),
        ),
        migrations.AddConstraint(
            model_name='settlement',
            constraint=models.CheckConstraint(condition=models.Q(('captured_minor', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('amount_minor'), '+', models.F('carried_forward_minor')), '+', models.F('refunded_minor')), '+', models.F('fees_minor')), '-', models.F('corrected_minor')), '-', models.F('brought_forward_minor')))), name='settlement_adds_up'),
        ),
        migrations.AddConstraint(
            model_name='correction',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('reason', ''), _negated=True), models.Q(('amount_minor', 0), _negated=True)), name='correction_with_reason'),
        ),
        migrations.AddConstraint(
            model_name='settlementline',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('correction', None), ('operation__isnull', False)), models.Q(('correction__isnull', False), ('operation', None)), _connector='OR'), name='settlement_line_of_one_thing'),
        ),
        migrations.AddIndex(
            model_name='statementline',
            index=models.Index(condition=models.Q(('target_reference', ''), _negated=True), fields=['bank', 'target_reference'], name='statement_line_by_target'),
        ),
        migrations.AddIndex(
            model_name='statementline',
            index=models.Index(fields=['bank', 'at'], name='statement_line_by_time'),
        ),
        migrations.AddConstraint(
            model_name='statementline',
            constraint=models.UniqueConstraint(fields=('bank', 'reference', 'kind', 'target_reference', 'amount_minor', 'currency'), name='statement_line_once'),
        ),
        migrations.RunSQL([file.read_text() for file in sorted(GUARDS.glob('*.sql'))], migrations.RunSQL.noop),
    ]
