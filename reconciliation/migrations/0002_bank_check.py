"""How far each bank has been asked about our books."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reconciliation', '0001_books'),
    ]

    operations = [
        migrations.CreateModel(
            name='BankCheck',
            fields=[
                ('bank', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('position', models.BigIntegerField(default=0)),
                ('unclear', models.JSONField(default=list)),
            ],
        ),
    ]
