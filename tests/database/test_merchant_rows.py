"""Rows of API keys and rate limits: what no update may change, raw SQL included."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError

from payments.domain.scopes import Scope
from payments.models import RateLimit
from tests.database.sql import one_by_one, refuses, update
from tests.support.factories import ApiKeyFactory, MerchantFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


class TestAnApiKey:
    def test_stays_what_it_was_issued_as(self) -> None:
        for change in one_by_one(
            [
                {"name": "another"},
                {"scopes": [Scope.KEYS]},
                {"idempotency_key": "k"},
                {"fingerprint": "f"},
                {"digest": "d"},
                {"mode": "test"},
            ]
        ):
            with refuses("stay"):
                update(ApiKeyFactory(name="shop", scopes=[Scope.PAYMENTS_READ]), **change)

    def test_has_known_scopes_and_at_least_one(self) -> None:
        for scopes in one_by_one([[], ["payments:delete"]]):
            with pytest.raises(IntegrityError, match="api_key_scopes_known"):
                ApiKeyFactory(scopes=scopes)

    def test_expires_never_later_than_was_said(self) -> None:
        key = ApiKeyFactory()
        assert update(key, expires_at=NOW) == 1
        assert update(key, expires_at=NOW - timedelta(hours=1)) == 1
        for later in one_by_one([NOW, None]):
            with refuses("its expiry is never put off"):
                update(key, expires_at=later)


class TestARateLimit:
    def test_stays_its_merchants_and_modes(self) -> None:
        limit = RateLimit.objects.create(merchant=MerchantFactory(), mode="live", writes=1, reads=1)
        with refuses("its merchant and mode stay"):
            update(limit, mode="test")

    def test_is_in_range(self) -> None:
        for writes in one_by_one([0, 10_000_001]):
            with pytest.raises(IntegrityError, match="rate_limit_in_range"):
                RateLimit.objects.create(merchant=MerchantFactory(), mode="live", writes=writes, reads=1)
