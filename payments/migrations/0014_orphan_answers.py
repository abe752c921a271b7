"""Orphan answers have cases; attempts are counted beyond 32,767; recovery says what it has passed over."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0012_outdated_proposals'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='discrepancy',
            name='discrepancy_kind_known',
        ),
        migrations.AddField(
            model_name='discrepancy',
            name='bank',
            field=models.CharField(blank=True, max_length=32),
        ),
        migrations.AddField(
            model_name='discrepancy',
            name='bank_reference',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name='heartbeat',
            name='passed_over',
            field=models.JSONField(default=dict),
        ),
        migrations.AlterField(
            model_name='attempt',
            name='number',
            field=models.PositiveIntegerField(),
        ),
        migrations.AlterField(
            model_name='discrepancy',
            name='kind',
            field=models.CharField(choices=[('capture_id_unknown', "Captured, the capture's id is unknown"), ('not_deducible', 'Done, but perhaps by an earlier operation'), ('contradiction', 'The bank disagrees with our books'), ('too_old_to_ask', 'Too old to ask the bank about'), ('late_hold', 'A hold that no payment claims'), ('late_answer', 'Executed at the bank, and recorded as not executed'), ('orphan_answer', 'Executed at the bank, and our record of it is lost')], max_length=32),
        ),
        migrations.AlterField(
            model_name='discrepancy',
            name='operation',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='discrepancies', to='payments.operation'),
        ),
        migrations.AlterField(
            model_name='event',
            name='type',
            field=models.CharField(choices=[('payment.created', 'Payment Created'), ('payment.authorized', 'Payment Authorized'), ('payment.captured', 'Payment Captured'), ('payment.voided', 'Payment Voided'), ('payment.refunded', 'Payment Refunded'), ('payment.expired', 'Payment Expired'), ('payment.declined', 'Payment Declined'), ('payment.failed', 'Payment Failed'), ('capture.requested', 'Capture Requested'), ('capture.not_executed', 'Capture Not Executed'), ('void.requested', 'Void Requested'), ('void.not_executed', 'Void Not Executed'), ('refund.requested', 'Refund Requested'), ('refund.not_executed', 'Refund Not Executed'), ('release.requested', 'Release Requested'), ('release.succeeded', 'Release Succeeded'), ('release.not_executed', 'Release Not Executed'), ('operation.needs_review', 'Operation Needs Review'), ('note.added', 'Note Added'), ('operation.assigned', 'Operation Assigned'), ('operation.given_back', 'Operation Given Back'), ('operation.asked_again', 'Operation Asked Again'), ('resolution.proposed', 'Resolution Proposed'), ('resolution.applied', 'Resolution Applied'), ('resolution.refused', 'Resolution Refused'), ('resolution.outdated', 'Resolution Outdated'), ('resolution.failed', 'Resolution Failed'), ('api_key.disabled', 'Api Key Disabled'), ('payments.exported', 'Payments Exported'), ('user.created', 'User Created'), ('user.changed', 'User Changed'), ('user.password_changed', 'User Password Changed'), ('user.second_factor_set_up', 'User Second Factor Set Up'), ('user.second_factor_reset', 'User Second Factor Reset'), ('group.created', 'Group Created'), ('group.changed', 'Group Changed'), ('schedule.run_now', 'Schedule Run Now'), ('late_answer.found', 'Late Answer Found'), ('late_hold.found', 'Late Hold Found'), ('orphan_answer.found', 'Orphan Answer Found')], max_length=32),
        ),
        migrations.AlterField(
            model_name='operation',
            name='ordinal',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name='resolution',
            name='attempt',
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['late_hold', 'late_answer', 'orphan_answer']), ('kind__in', ['capture_id_unknown', 'not_deducible', 'contradiction', 'too_old_to_ask']), _connector='OR'), name='discrepancy_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'orphan_answer'), models.Q(('bank', ''), _negated=True), models.Q(('bank_reference', ''), _negated=True)), models.Q(models.Q(('kind', 'orphan_answer'), _negated=True), ('operation__isnull', False)), _connector='OR'), name='discrepancy_of_something'),
        ),
        migrations.AddConstraint(
            model_name='discrepancy',
            constraint=models.UniqueConstraint(condition=models.Q(('kind', 'orphan_answer')), fields=('bank', 'bank_reference'), name='one_case_per_orphan_answer'),
        ),
    ]
