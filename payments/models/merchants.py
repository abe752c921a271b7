"""Merchants, their routes, their API keys and their rate limits."""

import hashlib
import secrets
from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models

from payments.domain.ids import API_KEY_PREFIX, public_id
from payments.domain.money import Currency
from payments.domain.rates import MOST_REQUESTS, Budget
from payments.domain.scopes import ALL_SCOPES, Scope, in_order
from payments.domain.states import Mode
from payments.models.clock import ClockTimestamp
from payments.models.guards import choices, one_of


class Merchant(models.Model):
    """A client of FicPay. Its routes say which bank serves which currency."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    is_active = models.BooleanField(default=True)  # requests with an inactive merchant's keys get a 403
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    def __str__(self) -> str:
        return self.name


class Route(models.Model):
    """The bank of a merchant's new payments in one mode and currency.

    A payment keeps the bank it began with, so a route may change or be deleted at any time. `bank` is a name
    in `payments.banks.registry`.
    """

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="routes")
    mode = models.CharField(max_length=4, choices=choices(Mode))
    currency = models.CharField(max_length=3, choices=choices(Currency))
    bank = models.CharField(max_length=32)
    changed_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["merchant", "mode", "currency"], name="one_bank_per_route"),
            models.CheckConstraint(condition=one_of("mode", Mode), name="route_mode_known"),
            models.CheckConstraint(condition=one_of("currency", Currency), name="route_currency_known"),
        ]
        permissions: ClassVar = [("manage_routes", "Can change which bank serves a currency")]

    def __str__(self) -> str:
        return f"{self.mode} {self.currency} to {self.bank}"


def all_scopes() -> list[str]:
    """The scopes of a key for which nothing else is said."""
    return in_order(ALL_SCOPES)


class ApiKey(models.Model):
    """A merchant's key for one mode: `sk_live_...` or `sk_test_...`.

    Only a digest is stored. A plain SHA-256 is enough: the key has 256 random bits and cannot be guessed. It
    is in force until it expires or is disabled; its name and scopes never change.
    """

    class State(models.TextChoices):
        """Whether the key works."""

        ACTIVE = "active"
        EXPIRED = "expired"
        DISABLED = "disabled"

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="api_keys")
    mode = models.CharField(max_length=4, choices=choices(Mode))
    uid = models.UUIDField(db_default=RandomUUID(), unique=True, editable=False)
    name = models.CharField(max_length=100, blank=True)
    scopes = ArrayField(models.CharField(max_length=32, choices=choices(Scope)), default=all_scopes)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    last4 = models.CharField(max_length=4, editable=False)
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)  # may be brought forward, never put off
    disabled_at = models.DateTimeField(null=True, blank=True)
    # At most a minute behind (`payments.engine.callers.uses`).
    last_used_at = models.DateTimeField(null=True, editable=False)
    # The key that this one was made to replace.
    replaces = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="replaced_by", null=True, editable=False
    )
    # The request that made it over the API. Its secret cannot be replayed: it is stored nowhere.
    idempotency_key = models.CharField(max_length=255, null=True, editable=False)  # noqa: DJ001 - unique
    fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    fingerprint_key_id = models.CharField(max_length=32, blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=one_of("mode", Mode), name="api_key_mode_known"),
            models.CheckConstraint(
                condition=models.Q(scopes__contained_by=all_scopes(), scopes__len__gt=0),
                name="api_key_scopes_known",
            ),
            models.UniqueConstraint(
                fields=["merchant", "mode", "idempotency_key"], name="one_api_key_per_request"
            ),
        ]
        verbose_name = "API key"
        permissions: ClassVar = [
            ("disable_apikey", "Can disable API keys"),
            ("issue_apikey", "Can issue and rotate API keys"),
        ]

    def __str__(self) -> str:
        return f"sk_{self.mode}_...{self.last4}"

    @property
    def public_id(self) -> str:
        """`key_` and the id's 32 hexadecimal digits."""
        return public_id(API_KEY_PREFIX, self.uid)

    def state_at(self, now: datetime) -> State:
        """Whether it works at this time of the database's clock."""
        if self.disabled_at is not None:
            return self.State.DISABLED
        is_over = self.expires_at is not None and self.expires_at <= now
        return self.State.EXPIRED if is_over else self.State.ACTIVE

    @staticmethod
    def generate(mode: Mode) -> str:
        """A new key in plain text: shown once, stored nowhere."""
        return f"sk_{mode}_{secrets.token_urlsafe(32)}"

    @staticmethod
    def digest_of(plain: str) -> str:
        return hashlib.sha256(plain.encode()).hexdigest()


class RateLimit(models.Model):
    """A merchant's own limits in one mode, in requests per window. Without a row it has the defaults."""

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="rate_limits")
    mode = models.CharField(max_length=4, choices=choices(Mode))
    writes = models.PositiveIntegerField()
    reads = models.PositiveIntegerField()  # replays have as many
    changed_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["merchant", "mode"], name="one_rate_limit_per_mode"),
            models.CheckConstraint(condition=one_of("mode", Mode), name="rate_limit_mode_known"),
            models.CheckConstraint(
                condition=models.Q(writes__range=(1, MOST_REQUESTS), reads__range=(1, MOST_REQUESTS)),
                name="rate_limit_in_range",
            ),
        ]
        permissions: ClassVar = [("manage_limits", "Can change rate limits")]

    def __str__(self) -> str:
        return f"{self.mode}: {self.writes} writes, {self.reads} reads"


class RateCount(models.Model):
    """What all processes together have let through in one window. Overwritten by the next window."""

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="+", db_index=False)
    mode = models.CharField(max_length=4, choices=choices(Mode))
    budget = models.CharField(max_length=8, choices=choices(Budget))
    window = models.BigIntegerField()  # its number since 1970
    requests = models.IntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["merchant", "mode", "budget"], name="one_rate_count_per_budget"),
        ]

    def __str__(self) -> str:
        return f"{self.requests} {self.budget} in window {self.window}"
