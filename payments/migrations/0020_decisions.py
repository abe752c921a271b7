"""A decision keeps when the bank did it, and why it was decided; a void may prove to have been a capture."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0019_search_words'),
    ]

    operations = [
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
    ]
