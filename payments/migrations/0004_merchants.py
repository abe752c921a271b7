"""Merchants: names, scopes and expiry of API keys, and rate limits."""

from pathlib import Path

import django.contrib.postgres.fields
import django.contrib.postgres.functions
import django.db.models.deletion
import payments.models.clock
import payments.models.merchants
from django.db import migrations, models

HERE = Path(__file__).parent


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0003_settlement'),
    ]

    operations = [
        migrations.CreateModel(
            name='RateCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mode', models.CharField(choices=[('live', 'live'), ('test', 'test')], max_length=4)),
                ('budget', models.CharField(choices=[('writes', 'writes'), ('reads', 'reads'), ('replays', 'replays')], max_length=8)),
                ('window', models.BigIntegerField()),
                ('requests', models.IntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='RateLimit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mode', models.CharField(choices=[('live', 'live'), ('test', 'test')], max_length=4)),
                ('writes', models.PositiveIntegerField()),
                ('reads', models.PositiveIntegerField()),
                ('changed_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
            ],
            options={
                'permissions': [('manage_limits', 'Can change rate limits')],
            },
        ),
        migrations.AlterModelOptions(
            name='apikey',
            options={'permissions': [('disable_apikey', 'Can disable API keys'), ('issue_apikey', 'Can issue and rotate API keys')], 'verbose_name': 'API key'},
        ),
        migrations.RemoveIndex(
            model_name='event',
            name='event_of_staff_newest',
        ),
        migrations.AddField(
            model_name='apikey',
            name='expires_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='apikey',
            name='fingerprint',
            field=models.CharField(blank=True, editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name='apikey',
            name='fingerprint_key_id',
            field=models.CharField(blank=True, editable=False, max_length=32),
        ),
        migrations.AddField(
            model_name='apikey',
            name='idempotency_key',
            field=models.CharField(editable=False, max_length=255, null=True),
        ),
        migrations.AddField(
            model_name='apikey',
            name='last_used_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='apikey',
            name='name',
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddField(
            model_name='apikey',
            name='replaces',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='replaced_by', to='payments.apikey'),
        ),
        migrations.AddField(
            model_name='apikey',
            name='scopes',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('payments:read', 'payments:read'), ('payments:write', 'payments:write'), ('webhooks', 'webhooks'), ('keys', 'keys')], max_length=32), default=payments.models.merchants.all_scopes, size=None),
        ),
        migrations.AddField(
            model_name='apikey',
            name='uid',
            field=models.UUIDField(db_default=django.contrib.postgres.functions.RandomUUID(), editable=False, unique=True),
        ),
        migrations.AlterField(
            model_name='event',
            name='type',
            field=models.CharField(choices=[('payment.created', 'Payment Created'), ('payment.authorized', 'Payment Authorized'), ('payment.captured', 'Payment Captured'), ('payment.voided', 'Payment Voided'), ('payment.refunded', 'Payment Refunded'), ('payment.expired', 'Payment Expired'), ('payment.declined', 'Payment Declined'), ('payment.failed', 'Payment Failed'), ('capture.requested', 'Capture Requested'), ('capture.not_executed', 'Capture Not Executed'), ('void.requested', 'Void Requested'), ('void.not_executed', 'Void Not Executed'), ('refund.requested', 'Refund Requested'), ('refund.not_executed', 'Refund Not Executed'), ('release.requested', 'Release Requested'), ('release.succeeded', 'Release Succeeded'), ('release.not_executed', 'Release Not Executed'), ('operation.needs_review', 'Operation Needs Review'), ('note.added', 'Note Added'), ('operation.assigned', 'Operation Assigned'), ('operation.given_back', 'Operation Given Back'), ('operation.asked_again', 'Operation Asked Again'), ('resolution.proposed', 'Resolution Proposed'), ('resolution.applied', 'Resolution Applied'), ('resolution.refused', 'Resolution Refused'), ('resolution.outdated', 'Resolution Outdated'), ('resolution.failed', 'Resolution Failed'), ('merchant.created', 'Merchant Created'), ('api_key.created', 'Api Key Created'), ('api_key.rotated', 'Api Key Rotated'), ('api_key.disabled', 'Api Key Disabled'), ('limits.changed', 'Limits Changed'), ('route.changed', 'Route Changed'), ('payments.exported', 'Payments Exported'), ('user.created', 'User Created'), ('user.changed', 'User Changed'), ('user.password_changed', 'User Password Changed'), ('user.second_factor_set_up', 'User Second Factor Set Up'), ('user.second_factor_reset', 'User Second Factor Reset'), ('group.created', 'Group Created'), ('group.changed', 'Group Changed'), ('schedule.run_now', 'Schedule Run Now'), ('late_reply.found', 'Late Reply Found'), ('reference.found', 'Reference Found'), ('late_hold.found', 'Late Hold Found'), ('stray.ruled_out', 'Stray Ruled Out'), ('settlement.created', 'Settlement Created'), ('settlement.corrected', 'Settlement Corrected'), ('statement.imported', 'Statement Imported'), ('difference.assigned', 'Difference Assigned'), ('difference.given_back', 'Difference Given Back'), ('difference.accepted', 'Difference Accepted'), ('fees.changed', 'Fees Changed'), ('orphan_reply.found', 'Orphan Reply Found')], max_length=32),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(condition=models.Q(('type__in', ['note.added', 'operation.assigned', 'operation.asked_again', 'resolution.proposed', 'resolution.applied', 'resolution.refused', 'resolution.outdated', 'resolution.failed', 'operation.given_back', 'api_key.disabled', 'payments.exported', 'route.changed', 'user.created', 'user.changed', 'user.password_changed', 'user.second_factor_set_up', 'user.second_factor_reset', 'group.created', 'group.changed', 'schedule.run_now', 'statement.imported', 'difference.assigned', 'difference.given_back', 'difference.accepted', 'fees.changed', 'settlement.corrected', 'merchant.created', 'api_key.created', 'api_key.rotated', 'limits.changed'])), fields=['-at', '-id'], name='event_of_staff_newest'),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('scopes__contained_by', ['payments:read', 'payments:write', 'webhooks', 'keys']), ('scopes__len__gt', 0)), name='api_key_scopes_known'),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.UniqueConstraint(fields=('merchant', 'mode', 'idempotency_key'), name='one_api_key_per_request'),
        ),
        migrations.AddField(
            model_name='ratecount',
            name='merchant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.merchant'),
        ),
        migrations.AddField(
            model_name='ratelimit',
            name='merchant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rate_limits', to='payments.merchant'),
        ),
        migrations.AddConstraint(
            model_name='ratecount',
            constraint=models.UniqueConstraint(fields=('merchant', 'mode', 'budget'), name='one_rate_count_per_budget'),
        ),
        migrations.AddConstraint(
            model_name='ratelimit',
            constraint=models.UniqueConstraint(fields=('merchant', 'mode'), name='one_rate_limit_per_mode'),
        ),
        migrations.AddConstraint(
            model_name='ratelimit',
            constraint=models.CheckConstraint(condition=models.Q(('mode__in', ['live', 'test'])), name='rate_limit_mode_known'),
        ),
        migrations.AddConstraint(
            model_name='ratelimit',
            constraint=models.CheckConstraint(condition=models.Q(('reads__range', (1, 10000000)), ('writes__range', (1, 10000000))), name='rate_limit_in_range'),
        ),
        migrations.RunSQL((HERE / 'merchants' / 'guards.sql').read_text(), migrations.RunSQL.noop),
        # Merchants of before had no limits: theirs are so high that nothing changes for them.
        migrations.RunSQL(
            "INSERT INTO payments_ratelimit (merchant_id, mode, writes, reads)"
            " SELECT id, mode, 60000, 120000 FROM payments_merchant, (VALUES ('live'), ('test')) AS modes (mode)",
            migrations.RunSQL.noop,
        ),
    ]
