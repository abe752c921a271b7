"""The search's tables: one row per payment with what staff search and filter by, and references that lead to
one.

They exist because each index on the payments' own tables costs every payment: those have only the indexes
that payments need. Only `office.search.follow` writes here, moments after the payments. There is no foreign
key to a payment, because it would be checked at every change of the payment.
"""

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q

from payments.models import Merchant


class FoundPayment(models.Model):
    """A payment as it is searched and counted. Its fields have the names and values of the payment's."""

    id = models.UUIDField(primary_key=True, editable=False)
    merchant = models.ForeignKey(
        Merchant, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    mode = models.CharField(max_length=4)
    order_id = models.CharField(max_length=64)
    customer_id = models.CharField(max_length=64)
    amount_minor = models.IntegerField()
    captured_minor = models.IntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=16)
    decline_code = models.CharField(max_length=32, blank=True)
    card_last4 = models.CharField(max_length=4)
    email = models.CharField(max_length=254, blank=True)  # in lower case
    words = SearchVectorField()  # of the description and of the metadata's values
    created_at = models.DateTimeField()
    authorized_at = models.DateTimeField(null=True)
    captured_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes: ClassVar = [
            # Newest first, so that values which thousands share (a guest's customer id, $50.00) need no sort.
            models.Index(fields=["-created_at", "-id"], name="found_newest"),
            # These operator classes also find an id by its beginning, with any collation.
            models.Index(fields=["order_id"], opclasses=["varchar_pattern_ops"], name="found_order"),
            models.Index(
                fields=["customer_id", "-created_at", "-id"],
                opclasses=["varchar_pattern_ops", "timestamptz_ops", "uuid_ops"],
                name="found_customer",
            ),
            models.Index(fields=["email", "-created_at", "-id"], condition=~Q(email=""), name="found_email"),
            GinIndex(fields=["words"], name="found_words"),
            *(
                models.Index(fields=[field, "-created_at", "-id"], name=f"found_{name}")
                for field, name in (
                    ("card_last4", "last4"),
                    ("amount_minor", "amount"),
                    ("state", "state"),
                    ("merchant", "merchant"),
                    ("mode", "mode"),
                )
            ),
            # Authorized and captured amounts of a period, for the dashboard. Refunds are counted by
            # operation, because they may be partial.
            *(
                models.Index(
                    fields=["mode", f"{state}_at"],
                    include=["merchant", "currency", "amount_minor", "captured_minor"],
                    condition=Q(**{f"{state}_at__isnull": False}),
                    name=f"found_{state}_when",
                )
                for state in ("authorized", "captured")
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class FoundName(models.Model):
    """A bank reference or a request id that leads to a payment."""

    pk = models.CompositePrimaryKey("name", "payment_id")
    name = models.CharField(max_length=64)
    payment_id = models.UUIDField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class FollowedEvents(models.Model):
    """How far the search has read the events, by id. One row, locked by the process that reads."""

    settled_id = models.BigIntegerField(default=0)  # no new event can appear up to here
    read_id = models.BigIntegerField(default=0)  # everything visible up to here is read
    # `mark_id` becomes the settled id when all transactions with numbers below `mark_end` have ended.
    mark_id = models.BigIntegerField(null=True)
    marked_at = models.DateTimeField(null=True)
    mark_end = models.BigIntegerField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"events up to {self.read_id}"
