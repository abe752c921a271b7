"""Indexes for the back office's search and filters, built while payments go on being made.

Outside a transaction, as PostgreSQL demands: interrupted, it leaves the index it was at invalid. Drop that
one, and those that are there already, and migrate again.
"""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

NEWEST = ["-created_at", "-id"]
BEFORE = "0006_groups"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", BEFORE)]

    operations = [
        AddIndexConcurrently(
            "payment", models.Index(fields=["customer_id", *NEWEST], name="payment_newest_of_customer")
        ),
        AddIndexConcurrently(
            "payment", models.Index(fields=["card_last4", *NEWEST], name="payment_newest_of_last4")
        ),
        AddIndexConcurrently(
            "payment", models.Index(fields=["amount_cents", *NEWEST], name="payment_newest_of_amount")
        ),
        AddIndexConcurrently(
            "payment", models.Index(fields=["state", *NEWEST], name="payment_newest_of_state")
        ),
        AddIndexConcurrently(
            "payment", models.Index(fields=["merchant", *NEWEST], name="payment_newest_of_merchant")
        ),
        AddIndexConcurrently(
            "payment",
            models.Index(fields=NEWEST, condition=models.Q(mode="test"), name="payment_newest_of_tests"),
        ),
        AddIndexConcurrently(
            "operation",
            models.Index(
                fields=["bank_reference"],
                condition=~models.Q(bank_reference=""),
                name="operation_search_reference",
            ),
        ),
        AddIndexConcurrently(
            "operation",
            models.Index(
                fields=["request_id"], condition=~models.Q(request_id=""), name="operation_search_request"
            ),
        ),
        AddIndexConcurrently(
            "operation",
            models.Index(
                fields=["created_at"],
                condition=models.Q(state="NEEDS_REVIEW"),
                name="operation_needs_review",
            ),
        ),
        AddIndexConcurrently(
            "operation",
            models.Index(
                fields=["payment"],
                condition=models.Q(awaiting_statement=True),
                name="operation_awaits_statement",
            ),
        ),
        AddIndexConcurrently(
            "attempt",
            models.Index(
                fields=["bank_reference"],
                condition=~models.Q(bank_reference=""),
                name="attempt_search_reference",
            ),
        ),
        AddIndexConcurrently("idempotencykey", models.Index(fields=["key"], name="idempotency_key_search")),
        # What the new ones do, too.
        RemoveIndexConcurrently("payment", "payment_search_customer"),
        RemoveIndexConcurrently("payment", "payment_search_last4"),
        migrations.AlterField(
            model_name="payment",
            name="merchant",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payments",
                to="payments.merchant",
            ),
        ),
    ]
