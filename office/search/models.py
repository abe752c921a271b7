"""What people search and filter payments by, a row a payment, and the names that lead to one.

The payments' own tables have the indexes that payments need and no others: each costs every payment. These
have all others. `office.search.follow` writes them, moments after the payments, and nobody else. No foreign
key leads to a payment, because each would be looked up at every change of one.
"""

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q

from payments.models import Merchant


class FoundPayment(models.Model):
    """A payment as it is found and counted. Its fields are called as the payment's are, and hold the same."""

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
    email = models.CharField(max_length=254, blank=True)  # in small letters
    words = SearchVectorField()  # of the description and of the metadata's values
    created_at = models.DateTimeField()
    authorized_at = models.DateTimeField(null=True)
    captured_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes: ClassVar = [
            # Newest first: what thousands share (a guest's customer id, $50.00) is read from its newest on
            # and never sorted.
            models.Index(fields=["-created_at", "-id"], name="found_newest"),
            # These operator classes find an id by its beginning, too, whatever the database's collation.
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
            # What was authorized and captured in a period, for the first page. Refunds come in parts: see the
            # operations.
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
    """What a bank or a merchant calls a part of a payment: bank references, ids of requests."""

    pk = models.CompositePrimaryKey("name", "payment_id")
    name = models.CharField(max_length=64)
    payment_id = models.UUIDField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class FollowedEvents(models.Model):
    """How far the search has come in the events, by their ids. One row, which whoever follows them locks."""

    settled_id = models.BigIntegerField(default=0)  # up to here nothing can appear any more
    read_id = models.BigIntegerField(default=0)  # up to here all is read that could be seen
    # What will be settled once all transactions have ended whose numbers are below `mark_end`.
    mark_id = models.BigIntegerField(null=True)
    marked_at = models.DateTimeField(null=True)
    mark_end = models.BigIntegerField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"events up to {self.read_id}"
