"""A decision keeps when the bank did it, and why it was decided; a void may prove to have been a capture."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0019_search_words'),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name='resolution',
            name='fixed_when_proposed',
        ),
        migrations.AddField(
            model_name='resolution',
            name='decided_because',
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name='resolution',
            name='executed_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name='resolution',
            name='evidence',
            field=models.CharField(blank=True, choices=[('bank_answer', "The bank's answer, on the timeline"), ('statement', 'A statement'), ('bank_word', "The bank's written word")], max_length=16),
        ),
        migrations.AlterField(
            model_name='resolution',
            name='kind',
            field=models.CharField(choices=[('record_reference', "Record the bank's reference"), ('record_not_executed', 'Record that it was not executed'), ('record_voided', 'Record that the hold was voided'), ('record_captured', 'Record that it was captured'), ('settle_late_answer', 'Record how a late answer was settled'), ('void_hold', 'Void an unclaimed hold'), ('capture', 'Capture'), ('void', 'Void'), ('refund', 'Refund')], max_length=24),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='resolution',
            trigger=pgtrigger.compiler.Trigger(name='fixed_when_proposed', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."payment_id" IS DISTINCT FROM (NEW."payment_id") OR OLD."operation_id" IS DISTINCT FROM (NEW."operation_id") OR OLD."bank" IS DISTINCT FROM (NEW."bank") OR OLD."amount_cents" IS DISTINCT FROM (NEW."amount_cents") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."reference" IS DISTINCT FROM (NEW."reference") OR OLD."evidence" IS DISTINCT FROM (NEW."evidence") OR OLD."attempt" IS DISTINCT FROM (NEW."attempt") OR OLD."quote" IS DISTINCT FROM (NEW."quote") OR OLD."covers_from" IS DISTINCT FROM (NEW."covers_from") OR OLD."covers_to" IS DISTINCT FROM (NEW."covers_to") OR OLD."reason" IS DISTINCT FROM (NEW."reason") OR OLD."executed_at" IS DISTINCT FROM (NEW."executed_at") OR OLD."seen_epoch" IS DISTINCT FROM (NEW."seen_epoch") OR OLD."proposed_by_id" IS DISTINCT FROM (NEW."proposed_by_id") OR OLD."proposed_at" IS DISTINCT FROM (NEW."proposed_at") OR OLD."needs_second" IS DISTINCT FROM (NEW."needs_second"))', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='c82fa56badcc323f001b01afc546613ce865f540', operation='UPDATE', pgid='pgtrigger_fixed_when_proposed_345b1', table='payments_resolution', when='BEFORE')),
        ),
    ]
