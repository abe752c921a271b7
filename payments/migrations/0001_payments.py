"""The tables of payments, and what guards them."""

from pathlib import Path

import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.lookups
import django_fsm
import payments.domain.ids
import payments.domain.states
import payments.models.clock
from django.conf import settings
from django.db import migrations, models

GUARDS = Path(__file__).parent / 'guards'


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Heartbeat',
            fields=[
                ('process', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('beat_at', models.DateTimeField()),
                ('banks', models.JSONField(default=dict)),
                ('passed_over', models.JSONField(default=dict)),
            ],
            options={
                'permissions': [('view_schedules', 'Can view schedules and heartbeats'), ('run_schedules', 'Can run a schedule now')],
            },
        ),
        migrations.CreateModel(
            name='Merchant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(unique=True)),
                ('name', models.CharField(max_length=100)),
                ('is_active', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
            ],
        ),
        migrations.CreateModel(
            name='Operation',
            fields=[
                ('id', models.UUIDField(default=payments.domain.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('authorize', 'authorize'), ('capture', 'capture'), ('void', 'void'), ('refund', 'refund'), ('release', 'release')], max_length=16)),
                ('bank', models.CharField(max_length=32)),
                ('amount_minor', models.IntegerField()),
                ('currency', models.CharField(choices=[('USD', 'USD'), ('EUR', 'EUR'), ('GBP', 'GBP'), ('JPY', 'JPY')], max_length=3)),
                ('target_reference', models.CharField(blank=True, max_length=64)),
                ('bank_idempotency_key', models.CharField(max_length=64)),
                ('ordinal', models.IntegerField(default=0)),
                ('state', django_fsm.FSMField(choices=[('OPEN', 'OPEN'), ('NEEDS_REVIEW', 'NEEDS_REVIEW'), ('SUCCEEDED', 'SUCCEEDED'), ('DECLINED', 'DECLINED'), ('REJECTED', 'REJECTED'), ('NOT_EXECUTED', 'NOT_EXECUTED')], default='OPEN', max_length=16, protected=True)),
                ('lease_epoch', models.IntegerField(default=1)),
                ('lease_expires_at', models.DateTimeField()),
                ('due_at', models.DateTimeField(blank=True, null=True)),
                ('bank_reference', models.CharField(blank=True, max_length=64)),
                ('outcome_code', models.CharField(blank=True, max_length=64)),
                ('strays_awaited', models.SmallIntegerField(default=0)),
                ('awaiting_statement', models.GeneratedField(db_persist=True, expression=django.db.models.lookups.GreaterThan(models.F('strays_awaited'), 0), output_field=models.BooleanField())),
                ('look_again_at', models.DateTimeField(blank=True, null=True)),
                ('actor', models.CharField(max_length=100)),
                ('request_id', models.CharField(blank=True, max_length=64)),
                ('reason', models.CharField(blank=True, max_length=500)),
                ('created_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Assignment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('assigned_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('operation', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='assignment', to='payments.operation')),
            ],
        ),
        migrations.CreateModel(
            name='Payment',
            fields=[
                ('id', models.UUIDField(default=payments.domain.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('mode', models.CharField(choices=[('live', 'live'), ('test', 'test')], max_length=4)),
                ('bank', models.CharField(max_length=32)),
                ('order_id', models.CharField(max_length=64)),
                ('customer_id', models.CharField(max_length=64)),
                ('amount_minor', models.IntegerField()),
                ('captured_minor', models.IntegerField(db_default=0, default=0)),
                ('refunded_minor', models.IntegerField(db_default=0, default=0)),
                ('currency', models.CharField(choices=[('USD', 'USD'), ('EUR', 'EUR'), ('GBP', 'GBP'), ('JPY', 'JPY')], max_length=3)),
                ('state', django_fsm.FSMField(choices=[('PENDING', 'PENDING'), ('AUTHORIZED', 'AUTHORIZED'), ('CAPTURED', 'CAPTURED'), ('REFUNDED', 'REFUNDED'), ('VOIDED', 'VOIDED'), ('EXPIRED', 'EXPIRED'), ('DECLINED', 'DECLINED'), ('FAILED', 'FAILED')], default='PENDING', max_length=16, protected=True)),
                ('card_brand', models.CharField(max_length=16)),
                ('card_last4', models.CharField(max_length=4)),
                ('card_expiry_month', models.SmallIntegerField()),
                ('card_expiry_year', models.SmallIntegerField()),
                ('description', models.CharField(blank=True, max_length=500)),
                ('customer_email', models.CharField(blank=True, max_length=254)),
                ('metadata', models.JSONField(blank=True, default=dict)),
                ('bank_authorization_id', models.CharField(blank=True, max_length=64)),
                ('bank_capture_id', models.CharField(blank=True, max_length=64)),
                ('bank_void_id', models.CharField(blank=True, max_length=64)),
                ('bank_refund_id', models.CharField(blank=True, max_length=64)),
                ('decline_code', models.CharField(blank=True, max_length=32)),
                ('created_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('authorization_expires_at', models.DateTimeField(blank=True, null=True)),
                ('authorized_at', models.DateTimeField(blank=True, null=True)),
                ('captured_at', models.DateTimeField(blank=True, null=True)),
                ('refunded_at', models.DateTimeField(blank=True, null=True)),
                ('voided_at', models.DateTimeField(blank=True, null=True)),
                ('expired_at', models.DateTimeField(blank=True, null=True)),
                ('declined_at', models.DateTimeField(blank=True, null=True)),
                ('failed_at', models.DateTimeField(blank=True, null=True)),
                ('merchant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='payments.merchant')),
            ],
        ),
        migrations.AddField(
            model_name='operation',
            name='payment',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='operations', to='payments.payment'),
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('type', models.CharField(choices=[('payment.created', 'Payment Created'), ('payment.authorized', 'Payment Authorized'), ('payment.captured', 'Payment Captured'), ('payment.voided', 'Payment Voided'), ('payment.refunded', 'Payment Refunded'), ('payment.expired', 'Payment Expired'), ('payment.declined', 'Payment Declined'), ('payment.failed', 'Payment Failed'), ('capture.requested', 'Capture Requested'), ('capture.not_executed', 'Capture Not Executed'), ('void.requested', 'Void Requested'), ('void.not_executed', 'Void Not Executed'), ('refund.requested', 'Refund Requested'), ('refund.not_executed', 'Refund Not Executed'), ('release.requested', 'Release Requested'), ('release.succeeded', 'Release Succeeded'), ('release.not_executed', 'Release Not Executed'), ('operation.needs_review', 'Operation Needs Review'), ('note.added', 'Note Added'), ('operation.assigned', 'Operation Assigned'), ('operation.given_back', 'Operation Given Back'), ('operation.asked_again', 'Operation Asked Again'), ('resolution.proposed', 'Resolution Proposed'), ('resolution.applied', 'Resolution Applied'), ('resolution.refused', 'Resolution Refused'), ('resolution.outdated', 'Resolution Outdated'), ('resolution.failed', 'Resolution Failed'), ('api_key.disabled', 'Api Key Disabled'), ('route.changed', 'Route Changed'), ('payments.exported', 'Payments Exported'), ('user.created', 'User Created'), ('user.changed', 'User Changed'), ('user.password_changed', 'User Password Changed'), ('user.second_factor_set_up', 'User Second Factor Set Up'), ('user.second_factor_reset', 'User Second Factor Reset'), ('group.created', 'Group Created'), ('group.changed', 'Group Changed'), ('schedule.run_now', 'Schedule Run Now'), ('late_reply.found', 'Late Reply Found'), ('reference.found', 'Reference Found'), ('late_hold.found', 'Late Hold Found'), ('orphan_reply.found', 'Orphan Reply Found')], max_length=32)),
                ('at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('actor', models.CharField(max_length=100)),
                ('request_id', models.CharField(blank=True, max_length=64)),
                ('evidence', models.JSONField(default=dict)),
                ('operation', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='payments.operation')),
                ('payment', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='payments.payment')),
            ],
            options={
                'permissions': [('view_staff_log', 'Can view the staff log')],
            },
        ),
        migrations.CreateModel(
            name='Discrepancy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('capture_id_unknown', "Captured, the capture's id is unknown"), ('not_deducible', 'Done, possibly by an earlier operation'), ('contradiction', 'The bank disagrees with our books'), ('too_old_to_ask', 'Too old to ask the bank about'), ('cannot_ask', 'Possibly executed at a bank that cannot be asked'), ('late_hold', 'A hold that no payment claims'), ('late_reply', 'Executed at the bank, recorded as not executed'), ('orphan_reply', 'Executed at the bank, missing from our books')], max_length=32)),
                ('evidence', models.JSONField(default=dict)),
                ('bank', models.CharField(blank=True, max_length=32)),
                ('bank_reference', models.CharField(blank=True, max_length=64)),
                ('opened_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('operation', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='discrepancies', to='payments.operation')),
                ('payment', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='discrepancies', to='payments.payment')),
            ],
            options={
                'verbose_name_plural': 'discrepancies',
            },
        ),
        migrations.CreateModel(
            name='ApiRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('authorize', 'authorize'), ('capture', 'capture'), ('void', 'void'), ('refund', 'refund'), ('release', 'release')], max_length=16)),
                ('actor', models.CharField(max_length=100)),
                ('request_id', models.CharField(max_length=64)),
                ('status', models.PositiveSmallIntegerField()),
                ('code', models.CharField(blank=True, max_length=64)),
                ('is_replay', models.BooleanField(default=False)),
                ('responded_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('operation', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.operation')),
                ('payment', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.payment')),
            ],
        ),
        migrations.CreateModel(
            name='Resolution',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('record_reference', "Record the bank's reference"), ('record_not_executed', 'Record that it was not executed'), ('record_voided', 'Record that the hold was voided'), ('record_captured', 'Record that it was captured'), ('settle_late_reply', 'Record how a late reply was settled'), ('void_hold', 'Void a hold without a payment'), ('capture', 'Capture'), ('void', 'Void'), ('refund', 'Refund')], max_length=24)),
                ('state', models.CharField(choices=[('PROPOSED', 'Proposed'), ('APPLIED', 'Applied'), ('REFUSED', 'Refused'), ('OUTDATED', 'Outdated')], default='PROPOSED', max_length=8)),
                ('bank', models.CharField(max_length=32)),
                ('amount_minor', models.PositiveIntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('reference', models.CharField(blank=True, max_length=64)),
                ('evidence', models.CharField(blank=True, choices=[('bank_reply', "The bank's reply, on the timeline"), ('statement', 'A statement'), ('bank_word', "The bank's written word")], max_length=16)),
                ('attempt', models.PositiveIntegerField(null=True)),
                ('executed_at', models.DateTimeField(null=True)),
                ('quote', models.CharField(blank=True, max_length=1000)),
                ('covers_from', models.DateField(null=True)),
                ('covers_to', models.DateField(null=True)),
                ('reason', models.CharField(max_length=500)),
                ('seen_epoch', models.PositiveIntegerField(null=True)),
                ('proposed_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('decided_at', models.DateTimeField(null=True)),
                ('decided_because', models.CharField(blank=True, max_length=500)),
                ('needs_second', models.BooleanField(default=False)),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('operation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='resolutions', to='payments.operation')),
                ('payment', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='resolutions', to='payments.payment')),
                ('proposed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'permissions': [('resolve_operation', 'Can resolve operations in doubt or under review'), ('approve_resolution', 'Can approve proposals of others'), ('instruct_payment', 'Can capture, void and refund on behalf of the merchant'), ('export_payments', 'Can export payments')],
            },
        ),
        migrations.CreateModel(
            name='Route',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mode', models.CharField(choices=[('live', 'live'), ('test', 'test')], max_length=4)),
                ('currency', models.CharField(choices=[('USD', 'USD'), ('EUR', 'EUR'), ('GBP', 'GBP'), ('JPY', 'JPY')], max_length=3)),
                ('bank', models.CharField(max_length=32)),
                ('changed_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('merchant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='routes', to='payments.merchant')),
            ],
            options={
                'permissions': [('manage_routes', 'Can change which bank serves a currency')],
            },
        ),
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mode', models.CharField(choices=[('live', 'live'), ('test', 'test')], max_length=4)),
                ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('last4', models.CharField(editable=False, max_length=4)),
                ('created_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('disabled_at', models.DateTimeField(blank=True, null=True)),
                ('merchant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='api_keys', to='payments.merchant')),
            ],
            options={
                'verbose_name': 'API key',
                'permissions': [('disable_apikey', 'Can disable API keys')],
                'constraints': [models.CheckConstraint(condition=models.Q(('mode__in', ['live', 'test'])), name='api_key_mode_known')],
            },
        ),
        migrations.CreateModel(
            name='IdempotencyKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mode', models.CharField(choices=[('live', 'live'), ('test', 'test')], max_length=4)),
                ('key', models.CharField(max_length=255)),
                ('fingerprint', models.CharField(max_length=64)),
                ('fingerprint_key_id', models.CharField(max_length=32)),
                ('bank_key_retired', models.BooleanField(default=False)),
                ('response_status', models.SmallIntegerField(null=True)),
                ('response_headers', models.JSONField(null=True)),
                ('response_body', models.BinaryField(null=True)),
                ('created_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('merchant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='payments.merchant')),
                ('operation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='idempotency_keys', to='payments.operation')),
            ],
            options={
                'indexes': [models.Index(fields=['created_at'], name='idempotency_key_age')],
                'constraints': [models.UniqueConstraint(fields=('merchant', 'mode', 'key'), name='idempotency_key_claimed_once')],
            },
        ),
        migrations.CreateModel(
            name='Attempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.IntegerField()),
                ('epoch', models.IntegerField()),
                ('started_at', models.DateTimeField(db_default=payments.models.clock.ClockTimestamp(), editable=False)),
                ('ended_at', models.DateTimeField(null=True)),
                ('result', models.CharField(blank=True, choices=[('not_sent', 'Not sent'), ('silent', 'Silent'), ('answered', 'Replied')], max_length=8)),
                ('in_doubt', models.BooleanField(null=True)),
                ('is_over', models.BooleanField(null=True)),
                ('said', models.CharField(blank=True, choices=[('approved', 'approved'), ('insufficient_funds', 'insufficient_funds'), ('card_expired', 'card_expired'), ('invalid_card', 'invalid_card'), ('invalid_cvv', 'invalid_cvv'), ('declined', 'declined'), ('authorization_expired', 'authorization_expired'), ('already_used', 'already_used'), ('already_captured', 'already_captured'), ('already_voided', 'already_voided'), ('already_refunded', 'already_refunded'), ('bank_error', 'bank_error'), ('not_done', 'not_done'), ('silence', 'silence'), ('not_sent', 'not_sent'), ('mismatch', 'mismatch')], max_length=24)),
                ('http_status', models.SmallIntegerField(null=True)),
                ('reply', models.CharField(blank=True, max_length=200)),
                ('bank_reference', models.CharField(blank=True, max_length=64)),
                ('is_replay', models.BooleanField(null=True)),
                ('duration_ms', models.IntegerField(null=True)),
                ('is_probe', models.BooleanField(default=False)),
                ('verdict', models.CharField(blank=True, choices=[('contradiction', 'contradiction'), ('negative_probe', 'negative_probe')], max_length=16)),
                ('is_late', models.BooleanField(default=False)),
                ('hold_expires_at', models.DateTimeField(null=True)),
                ('operation', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='attempts', to='payments.operation')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('is_late', True)), fields=['operation'], name='attempt_late'), django.contrib.postgres.indexes.BrinIndex(autosummarize=True, fields=['started_at'], name='attempt_by_start', pages_per_range=32)],
                'constraints': [models.UniqueConstraint(fields=('operation', 'number'), name='attempt_numbered_once')],
            },
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(fields=['merchant', 'mode', '-created_at', '-id'], name='payment_newest'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(fields=['merchant', 'mode', 'order_id'], name='payment_by_order'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(fields=['merchant', 'mode', 'customer_id', '-created_at'], name='payment_by_customer'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(fields=['merchant', 'mode', 'state', '-created_at'], name='payment_by_state'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(condition=models.Q(('state', payments.domain.states.PaymentState['AUTHORIZED'])), fields=['authorization_expires_at'], name='payment_hold_ends'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['PENDING', 'AUTHORIZED', 'CAPTURED'])), fields=('merchant', 'mode', 'order_id'), name='one_live_payment_per_order'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.UniqueConstraint(condition=models.Q(('bank_authorization_id', ''), _negated=True), fields=('bank', 'bank_authorization_id'), name='one_payment_per_hold'),
        ),
        migrations.AddIndex(
            model_name='operation',
            index=models.Index(condition=models.Q(('state', payments.domain.states.OperationState['OPEN'])), fields=['lease_expires_at'], name='operation_due'),
        ),
        migrations.AddIndex(
            model_name='operation',
            index=models.Index(condition=models.Q(('look_again_at__isnull', False)), fields=['look_again_at'], name='operation_late_look'),
        ),
        migrations.AddIndex(
            model_name='operation',
            index=models.Index(condition=models.Q(('state__in', ['OPEN', 'NEEDS_REVIEW']), ('awaiting_statement', True), _connector='OR'), fields=['created_at'], name='operation_unsettled'),
        ),
        migrations.AddIndex(
            model_name='operation',
            index=models.Index(condition=models.Q(('kind', payments.domain.states.OperationKind['REFUND']), ('state', payments.domain.states.OperationState['SUCCEEDED'])), fields=['finished_at'], include=('payment', 'currency', 'amount_minor'), name='operation_refunded_when'),
        ),
        migrations.AddIndex(
            model_name='operation',
            index=models.Index(fields=['bank_idempotency_key'], name='operation_by_bank_key'),
        ),
        migrations.AddIndex(
            model_name='operation',
            index=models.Index(condition=models.Q(('target_reference', ''), _negated=True), fields=['target_reference'], name='operation_by_target'),
        ),
        migrations.AddConstraint(
            model_name='operation',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['OPEN', 'NEEDS_REVIEW']), models.Q(('kind', payments.domain.states.OperationKind['RELEASE']), _negated=True)), fields=('payment',), name='one_open_operation_per_payment'),
        ),
        migrations.AddConstraint(
            model_name='operation',
            constraint=models.UniqueConstraint(condition=models.Q(('state', payments.domain.states.OperationState['NOT_EXECUTED']), _negated=True), fields=('bank', 'bank_idempotency_key'), name='one_operation_per_bank_key'),
        ),
        migrations.AddConstraint(
            model_name='operation',
            constraint=models.UniqueConstraint(condition=models.Q(('kind__in', [payments.domain.states.OperationKind['CAPTURE'], payments.domain.states.OperationKind['REFUND']]), models.Q(('bank_reference', ''), _negated=True)), fields=('bank', 'kind', 'bank_reference'), name='one_operation_per_reference'),
        ),
        migrations.AddConstraint(
            model_name='operation',
            constraint=models.UniqueConstraint(condition=models.Q(('kind', payments.domain.states.OperationKind['RELEASE']), ('state__in', ['OPEN', 'NEEDS_REVIEW'])), fields=('bank', 'target_reference'), name='one_release_per_hold'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(fields=['payment', 'id'], name='event_of_payment'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(condition=models.Q(('type__in', ['note.added', 'operation.assigned', 'operation.asked_again', 'resolution.proposed', 'resolution.applied', 'resolution.refused', 'resolution.outdated', 'resolution.failed', 'operation.given_back', 'api_key.disabled', 'payments.exported', 'route.changed', 'user.created', 'user.changed', 'user.password_changed', 'user.second_factor_set_up', 'user.second_factor_reset', 'group.created', 'group.changed', 'schedule.run_now'])), fields=['-at', '-id'], name='event_of_staff_newest'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['late_hold', 'late_reply', 'orphan_reply']), ('kind__in', ['capture_id_unknown', 'not_deducible', 'contradiction', 'too_old_to_ask', 'cannot_ask']), _connector='OR'), name='discrepancy_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'orphan_reply'), models.Q(('bank', ''), _negated=True), models.Q(('bank_reference', ''), _negated=True)), models.Q(models.Q(('kind', 'orphan_reply'), _negated=True), ('operation__isnull', False)), _connector='OR'), name='discrepancy_of_something'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.UniqueConstraint(condition=models.Q(('kind', 'orphan_reply')), fields=('bank', 'bank_reference'), name='one_case_per_orphan_reply'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.UniqueConstraint(condition=models.Q(('closed_at', None)), fields=('operation', 'kind'), name='discrepancy_open_once'),
        ),
        migrations.AddIndex(
            model_name='apirequest',
            index=models.Index(fields=['payment', 'id'], name='api_request_of_payment'),
        ),
        migrations.AddIndex(
            model_name='apirequest',
            index=models.Index(fields=['request_id'], name='api_request_search'),
        ),
        migrations.AddIndex(
            model_name='apirequest',
            index=models.Index(fields=['responded_at'], name='api_request_age'),
        ),
        migrations.AddConstraint(
            model_name='resolution',
            constraint=models.CheckConstraint(condition=models.Q(('needs_second', False), models.Q(('state', 'APPLIED'), _negated=True), models.Q(('decided_by__isnull', False), models.Q(('decided_by', models.F('proposed_by')), _negated=True)), _connector='OR'), name='resolution_by_two_people'),
        ),
        migrations.AddConstraint(
            model_name='resolution',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='resolution_with_reason'),
        ),
        migrations.AddConstraint(
            model_name='resolution',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'PROPOSED')), fields=('operation',), name='one_proposal_per_operation'),
        ),
        migrations.AddConstraint(
            model_name='resolution',
            constraint=models.UniqueConstraint(condition=models.Q(('operation__isnull', True), ('state', 'PROPOSED')), fields=('payment',), name='one_proposal_per_payment'),
        ),
        migrations.AddConstraint(
            model_name='resolution',
            constraint=models.UniqueConstraint(condition=models.Q(('kind', 'void_hold'), ('state', 'PROPOSED')), fields=('bank', 'reference'), name='one_proposal_per_stray_hold'),
        ),
        migrations.AddConstraint(
            model_name='route',
            constraint=models.UniqueConstraint(fields=('merchant', 'mode', 'currency'), name='one_bank_per_route'),
        ),
        migrations.AddConstraint(
            model_name='route',
            constraint=models.CheckConstraint(condition=models.Q(('mode__in', ['live', 'test'])), name='route_mode_known'),
        ),
        migrations.AddConstraint(
            model_name='route',
            constraint=models.CheckConstraint(condition=models.Q(('currency__in', ['USD', 'EUR', 'GBP', 'JPY'])), name='route_currency_known'),
        ),
        # Room in each block, so that a row that ends or gets its response stays where it is and no index is written.
        # A key with a response is five times as large as without: more room would cost more disk than it saves WAL.
        migrations.RunSQL(
            [
                'ALTER TABLE payments_attempt SET (fillfactor = 70)',
                'ALTER TABLE payments_idempotencykey SET (fillfactor = 50)',
            ],
            migrations.RunSQL.noop,
        ),
        # What the database refuses, whoever asks: a function per table and event that names each rule of the
        # row. They name tables with their schema, so that no temporary table can stand for one.
        migrations.RunSQL([file.read_text() for file in sorted(GUARDS.glob('*.sql'))], migrations.RunSQL.noop),
    ]
