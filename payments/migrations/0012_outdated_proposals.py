"""Proposals may become outdated; the log of staff tells of it, and of what did not hold.

Its indexes are built anew while payments go on being made: outside a transaction, as PostgreSQL demands.
Interrupted, it leaves the index it was at invalid. Drop those of the log that are there, and migrate again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

OF_STAFF = [
    "note.added",
    "operation.assigned",
    "operation.asked_again",
    "resolution.proposed",
    "resolution.applied",
    "resolution.refused",
    "resolution.outdated",
    "resolution.failed",
    "operation.given_back",
    "api_key.disabled",
    "payments.exported",
    "user.created",
    "user.changed",
    "user.password_changed",
    "user.second_factor_set_up",
    "user.second_factor_reset",
    "group.created",
    "group.changed",
    "schedule.run_now",
]
IN_THE_LOG = models.Q(type__in=OF_STAFF)
NEWEST = ["-at", "-id"]
FIELDS = {"newest": NEWEST, "actor": ["actor", *NEWEST], "type": ["type", *NEWEST]}


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", "0011_staff_log_indexes")]

    operations = [
        migrations.AlterField(
            model_name='event',
            name='type',
            field=models.CharField(choices=[('payment.created', 'Payment Created'), ('payment.authorized', 'Payment Authorized'), ('payment.captured', 'Payment Captured'), ('payment.voided', 'Payment Voided'), ('payment.refunded', 'Payment Refunded'), ('payment.expired', 'Payment Expired'), ('payment.declined', 'Payment Declined'), ('payment.failed', 'Payment Failed'), ('capture.requested', 'Capture Requested'), ('capture.not_executed', 'Capture Not Executed'), ('void.requested', 'Void Requested'), ('void.not_executed', 'Void Not Executed'), ('refund.requested', 'Refund Requested'), ('refund.not_executed', 'Refund Not Executed'), ('release.requested', 'Release Requested'), ('release.succeeded', 'Release Succeeded'), ('release.not_executed', 'Release Not Executed'), ('operation.needs_review', 'Operation Needs Review'), ('note.added', 'Note Added'), ('operation.assigned', 'Operation Assigned'), ('operation.given_back', 'Operation Given Back'), ('operation.asked_again', 'Operation Asked Again'), ('resolution.proposed', 'Resolution Proposed'), ('resolution.applied', 'Resolution Applied'), ('resolution.refused', 'Resolution Refused'), ('resolution.outdated', 'Resolution Outdated'), ('resolution.failed', 'Resolution Failed'), ('api_key.disabled', 'Api Key Disabled'), ('payments.exported', 'Payments Exported'), ('user.created', 'User Created'), ('user.changed', 'User Changed'), ('user.password_changed', 'User Password Changed'), ('user.second_factor_set_up', 'User Second Factor Set Up'), ('user.second_factor_reset', 'User Second Factor Reset'), ('group.created', 'Group Created'), ('group.changed', 'Group Changed'), ('schedule.run_now', 'Schedule Run Now'), ('late_answer.found', 'Late Answer Found'), ('late_hold.found', 'Late Hold Found')], max_length=32),
        ),
        migrations.AlterField(
            model_name='resolution',
            name='state',
            field=models.CharField(choices=[('PROPOSED', 'Proposed'), ('APPLIED', 'Applied'), ('REFUSED', 'Refused'), ('OUTDATED', 'Outdated')], default='PROPOSED', max_length=8),
        ),
        *(RemoveIndexConcurrently("event", f"event_of_staff_{name}") for name in FIELDS),
        *(
            AddIndexConcurrently(
                "event", models.Index(fields=fields, condition=IN_THE_LOG, name=f"event_of_staff_{name}")
            )
            for name, fields in FIELDS.items()
        ),
    ]
