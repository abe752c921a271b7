"""Indexes for a search by the beginning of an id, by email and by words, built while payments go on being made.

Outside a transaction, as PostgreSQL demands: interrupted, it leaves the index it was at invalid. Drop that
one, and those that are there already, and migrate again.
"""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Lower

import payments.models.words

NEWEST = ["-created_at", "-id"]
BEFORE = "0015_guards"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", BEFORE)]

    operations = [
        AddIndexConcurrently(
            "payment",
            models.Index(
                fields=["order_id"], opclasses=["varchar_pattern_ops"], name="payment_begins_with_order"
            ),
        ),
        AddIndexConcurrently(
            "payment",
            models.Index(
                fields=["customer_id", *NEWEST],
                opclasses=["varchar_pattern_ops", "timestamptz_ops", "uuid_ops"],
                name="payment_begins_with_customer",
            ),
        ),
        AddIndexConcurrently(
            "payment",
            models.Index(
                Lower("customer_email"),
                models.F("created_at").desc(),
                models.F("id").desc(),
                condition=~models.Q(customer_email=""),
                name="payment_newest_of_email",
            ),
        ),
        AddIndexConcurrently("payment", GinIndex(payments.models.words.Words(), name="payment_words")),
        AddIndexConcurrently(
            "payment", models.Index(fields=["mode", *NEWEST], name="payment_newest_of_mode")
        ),
        # What the new ones do, too.
        RemoveIndexConcurrently("payment", "payment_search_order"),
        RemoveIndexConcurrently("payment", "payment_newest_of_customer"),
        RemoveIndexConcurrently("payment", "payment_newest_of_tests"),
    ]
