"""The tables of the search."""

import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('payments', '0001_payments'),
    ]

    operations = [
        migrations.CreateModel(
            name='FollowedEvents',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('settled_id', models.BigIntegerField(default=0)),
                ('read_id', models.BigIntegerField(default=0)),
                ('mark_id', models.BigIntegerField(null=True)),
                ('marked_at', models.DateTimeField(null=True)),
                ('mark_end', models.BigIntegerField(null=True)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='FoundName',
            fields=[
                ('pk', models.CompositePrimaryKey('name', 'payment_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=64)),
                ('payment_id', models.UUIDField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='FoundPayment',
            fields=[
                ('id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('mode', models.CharField(max_length=4)),
                ('order_id', models.CharField(max_length=64)),
                ('customer_id', models.CharField(max_length=64)),
                ('amount_minor', models.IntegerField()),
                ('captured_minor', models.IntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('state', models.CharField(max_length=16)),
                ('decline_code', models.CharField(blank=True, max_length=32)),
                ('card_last4', models.CharField(max_length=4)),
                ('email', models.CharField(blank=True, max_length=254)),
                ('words', django.contrib.postgres.search.SearchVectorField()),
                ('created_at', models.DateTimeField()),
                ('authorized_at', models.DateTimeField(null=True)),
                ('captured_at', models.DateTimeField(null=True)),
                ('merchant', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='payments.merchant')),
            ],
            options={
                'default_permissions': (),
                'indexes': [models.Index(fields=['-created_at', '-id'], name='found_newest'), models.Index(fields=['order_id'], name='found_order', opclasses=['varchar_pattern_ops']), models.Index(fields=['customer_id', '-created_at', '-id'], name='found_customer', opclasses=['varchar_pattern_ops', 'timestamptz_ops', 'uuid_ops']), models.Index(condition=models.Q(('email', ''), _negated=True), fields=['email', '-created_at', '-id'], name='found_email'), django.contrib.postgres.indexes.GinIndex(fields=['words'], name='found_words'), models.Index(fields=['card_last4', '-created_at', '-id'], name='found_last4'), models.Index(fields=['amount_minor', '-created_at', '-id'], name='found_amount'), models.Index(fields=['state', '-created_at', '-id'], name='found_state'), models.Index(fields=['merchant', '-created_at', '-id'], name='found_merchant'), models.Index(fields=['mode', '-created_at', '-id'], name='found_mode'), models.Index(condition=models.Q(('authorized_at__isnull', False)), fields=['mode', 'authorized_at'], include=('merchant', 'currency', 'amount_minor', 'captured_minor'), name='found_authorized_when'), models.Index(condition=models.Q(('captured_at__isnull', False)), fields=['mode', 'captured_at'], include=('merchant', 'currency', 'amount_minor', 'captured_minor'), name='found_captured_when')],
            },
        ),
    ]
