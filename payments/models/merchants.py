"""Merchants, their routes and their API keys."""

import hashlib
import secrets
from typing import ClassVar

from django.db import models

from payments.domain.money import Currency
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


class ApiKey(models.Model):
    """A merchant's key for one mode: `sk_live_...` or `sk_test_...`.

    Only a digest is stored. A plain SHA-256 is enough: the key has 256 random bits and cannot be guessed.
    """

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="api_keys")
    mode = models.CharField(max_length=4, choices=choices(Mode))
    digest = models.CharField(max_length=64, unique=True, editable=False)
    last4 = models.CharField(max_length=4, editable=False)
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    disabled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=one_of("mode", Mode), name="api_key_mode_known"),
        ]
        verbose_name = "API key"
        permissions: ClassVar = [("disable_apikey", "Can disable API keys")]

    def __str__(self) -> str:
        return f"sk_{self.mode}_...{self.last4}"

    @staticmethod
    def generate(mode: Mode) -> str:
        """A new key in plain text: shown once, stored nowhere."""
        return f"sk_{mode}_{secrets.token_urlsafe(32)}"

    @staticmethod
    def digest_of(plain: str) -> str:
        return hashlib.sha256(plain.encode()).hexdigest()
