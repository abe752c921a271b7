"""Settlements: their events, and the accounts that they post to."""

from pathlib import Path

from django.db import migrations, models

HERE = Path(__file__).parent


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0002_ledger'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='event',
            name='event_of_staff_newest',
        ),
        migrations.AlterField(
            model_name='event',
            name='type',
            field=models.CharField(choices=[('payment.created', 'Payment Created'), ('payment.authorized', 'Payment Authorized'), ('payment.captured', 'Payment Captured'), ('payment.voided', 'Payment Voided'), ('payment.refunded', 'Payment Refunded'), ('payment.expired', 'Payment Expired'), ('payment.declined', 'Payment Declined'), ('payment.failed', 'Payment Failed'), ('capture.requested', 'Capture Requested'), ('capture.not_executed', 'Capture Not Executed'), ('void.requested', 'Void Requested'), ('void.not_executed', 'Void Not Executed'), ('refund.requested', 'Refund Requested'), ('refund.not_executed', 'Refund Not Executed'), ('release.requested', 'Release Requested'), ('release.succeeded', 'Release Succeeded'), ('release.not_executed', 'Release Not Executed'), ('operation.needs_review', 'Operation Needs Review'), ('note.added', 'Note Added'), ('operation.assigned', 'Operation Assigned'), ('operation.given_back', 'Operation Given Back'), ('operation.asked_again', 'Operation Asked Again'), ('resolution.proposed', 'Resolution Proposed'), ('resolution.applied', 'Resolution Applied'), ('resolution.refused', 'Resolution Refused'), ('resolution.outdated', 'Resolution Outdated'), ('resolution.failed', 'Resolution Failed'), ('api_key.disabled', 'Api Key Disabled'), ('route.changed', 'Route Changed'), ('payments.exported', 'Payments Exported'), ('user.created', 'User Created'), ('user.changed', 'User Changed'), ('user.password_changed', 'User Password Changed'), ('user.second_factor_set_up', 'User Second Factor Set Up'), ('user.second_factor_reset', 'User Second Factor Reset'), ('group.created', 'Group Created'), ('group.changed', 'Group Changed'), ('schedule.run_now', 'Schedule Run Now'), ('late_reply.found', 'Late Reply Found'), ('reference.found', 'Reference Found'), ('late_hold.found', 'Late Hold Found'), ('stray.ruled_out', 'Stray Ruled Out'), ('settlement.created', 'Settlement Created'), ('settlement.corrected', 'Settlement Corrected'), ('statement.imported', 'Statement Imported'), ('difference.assigned', 'Difference Assigned'), ('difference.given_back', 'Difference Given Back'), ('difference.accepted', 'Difference Accepted'), ('fees.changed', 'Fees Changed'), ('orphan_reply.found', 'Orphan Reply Found')], max_length=32),
        ),
        migrations.AlterField(
            model_name='ledgerposting',
            name='account',
            field=models.CharField(choices=[('holds', 'holds'), ('holds_contra', 'holds_contra'), ('bank_receivable', 'bank_receivable'), ('merchant_payable', 'merchant_payable'), ('fees', 'fees'), ('corrections', 'corrections')], max_length=32),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(condition=models.Q(('type__in', ['note.added', 'operation.assigned', 'operation.asked_again', 'resolution.proposed', 'resolution.applied', 'resolution.refused', 'resolution.outdated', 'resolution.failed', 'operation.given_back', 'api_key.disabled', 'payments.exported', 'route.changed', 'user.created', 'user.changed', 'user.password_changed', 'user.second_factor_set_up', 'user.second_factor_reset', 'group.created', 'group.changed', 'schedule.run_now', 'statement.imported', 'difference.assigned', 'difference.given_back', 'difference.accepted', 'fees.changed', 'settlement.corrected'])), fields=['-at', '-id'], name='event_of_staff_newest'),
        ),
        migrations.RunSQL((HERE / 'ledger' / 'accounts.sql').read_text(), migrations.RunSQL.noop),
    ]
