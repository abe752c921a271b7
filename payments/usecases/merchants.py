"""Merchants and their API keys."""

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from payments.domain.states import Mode
from payments.models import ApiKey, Merchant, Route


@dataclass(frozen=True)
class IssuedKey:
    """A new API key. `plain` is shown once and stored nowhere."""

    key: ApiKey
    plain: str


def create_merchant(*, slug: str, name: str) -> Merchant:
    """The merchant with that slug, created with the routes of `settings.ROUTES` if there is none."""
    with transaction.atomic():
        merchant, is_new = Merchant.objects.get_or_create(slug=slug, defaults={"name": name})
        if is_new:
            Route.objects.bulk_create(
                Route(merchant=merchant, mode=mode, currency=currency, bank=bank)
                for mode, banks in settings.ROUTES.items()
                for currency, bank in banks.items()
            )
    return merchant


def issue_api_key(*, slug: str, mode: Mode) -> IssuedKey:
    """A new key for the merchant; older ones stay valid. Raises Merchant.DoesNotExist."""
    with transaction.atomic():
        merchant = Merchant.objects.get(slug=slug)
        plain = ApiKey.generate(mode)
        key = ApiKey.objects.create(
            merchant=merchant, mode=mode, digest=ApiKey.digest_of(plain), last4=plain[-4:]
        )
    return IssuedKey(key, plain)


def find_api_key(plain: str) -> ApiKey | None:
    """The active key with this plain text, or None."""
    return ApiKey.objects.filter(digest=ApiKey.digest_of(plain), disabled_at=None).first()
