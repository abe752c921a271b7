"""Merchants and the API keys they sign in with."""

import hashlib
import secrets
from typing import ClassVar

from django.db import models

from payments.domain.states import Mode
from payments.models.clock import ClockTimestamp
from payments.models.guards import choices, one_of


class Merchant(models.Model):
    """Whom we take payments for. Its banks, one a mode, are names in `payments.banks.registry`."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    live_bank = models.CharField(max_length=32, default="ficmart")
    test_bank = models.CharField(max_length=32, default="sandbox")
    is_active = models.BooleanField(default=True)  # an inactive merchant's keys are answered 403
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    def __str__(self) -> str:
        return self.name

    def bank_for(self, mode: str) -> str:
        """The name of the bank that serves this mode."""
        return self.live_bank if mode == Mode.LIVE else self.test_bank


class ApiKey(models.Model):
    """A merchant's key for one mode: `sk_live_...` or `sk_test_...`.

    Only a digest is kept. A plain SHA-256 is enough for 256 random bits: there is nothing to guess.
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
