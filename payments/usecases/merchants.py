"""Merchants, their API keys and their rate limits: created and changed by staff, operators and merchants."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from payments.domain.rates import Limits
from payments.domain.scopes import ALL_SCOPES, Scopes, in_order
from payments.domain.states import Mode
from payments.engine.claim import MerchantRequest, is_same_request
from payments.engine.refusals import ApiKeyNotFound, IdempotencyKeyReused, TooManyApiKeys
from payments.models import ApiKey, Event, Merchant, RateLimit, Route
from payments.models.clock import ClockTimestamp, read_clock

MOST_KEYS = 100  # in force, for each merchant and mode, so that a list of them stays short
DEFAULT_OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=30)


class Author(Protocol):
    """Who changes something, for the log: a member of staff, an operator, or a merchant's API key."""

    @property
    def actor(self) -> str: ...
    @property
    def request_id(self) -> str: ...
    @property
    def user_id(self) -> int | None: ...
    @property
    def address(self) -> str: ...


@dataclass(frozen=True)
class ByApiKey:
    """A merchant that changes something over the API."""

    actor: str  # `api_key:7`
    request_id: str
    user_id: None = None
    address: str = "the API"


@dataclass(frozen=True)
class NewKey:
    """What a new API key is to be. It expires at a time of the database's clock, or never."""

    name: str = ""
    scopes: Scopes = ALL_SCOPES
    expires_at: datetime | None = None


@dataclass(frozen=True)
class IssuedKey:
    """An API key that was issued. `plain` is shown once and stored nowhere.

    It is empty if an earlier request, with the same idempotency key, has issued it.
    """

    key: ApiKey
    plain: str


_ANY_KEY = NewKey()


def create_merchant(
    *, slug: str, name: str, limits: Limits | None = None, by: Author | None = None
) -> Merchant:
    """The merchant with that slug, created with the routes of `settings.ROUTES` if there is none.

    `limits` are its rate limits in both modes; None: the defaults. `by` is None at an installation.
    """
    with transaction.atomic():
        merchant, is_new = Merchant.objects.get_or_create(slug=slug, defaults={"name": name})
        if is_new:
            Route.objects.bulk_create(
                Route(merchant=merchant, mode=mode, currency=currency, bank=bank)
                for mode, banks in settings.ROUTES.items()
                for currency, bank in banks.items()
            )
            if limits is not None:
                RateLimit.objects.bulk_create(
                    RateLimit(merchant=merchant, mode=mode, writes=limits.writes, reads=limits.reads)
                    for mode in Mode
                )
            _log(by, Event.Type.MERCHANT_CREATED, merchant=slug, name=name)
    return merchant


def limits_of(merchant: Merchant, mode: str) -> Limits:
    """The merchant's rate limits in this mode."""
    own = RateLimit.objects.filter(merchant=merchant, mode=mode).first()
    default: Limits = settings.RATE_LIMITS
    return Limits(own.writes, own.reads) if own else default


def change_limits(*, slug: str, mode: Mode, limits: Limits, reason: str, by: Author) -> bool:
    """Set the merchant's rate limits in this mode, from the next request on. False if nothing changes.

    Raises Merchant.DoesNotExist.
    """
    with transaction.atomic():
        merchant = Merchant.objects.get(slug=slug)
        before = limits_of(merchant, mode)
        if before == limits:
            return False
        RateLimit.objects.update_or_create(
            merchant=merchant,
            mode=mode,
            defaults={"writes": limits.writes, "reads": limits.reads, "changed_at": ClockTimestamp()},
        )
        pairs = {"writes": (before.writes, limits.writes), "reads": (before.reads, limits.reads)}
        changed = {name: {"from": old, "to": new} for name, (old, new) in pairs.items() if old != new}
        _log(
            by, Event.Type.LIMITS_CHANGED, merchant=slug, limits_of=mode.value, changed=changed, reason=reason
        )
    return True


def issue_api_key(
    *, slug: str, mode: Mode, wanted: NewKey = _ANY_KEY, reason: str = "", by: Author | None = None
) -> IssuedKey:
    """A new key for the merchant; older ones stay valid. `by` is None at an installation.

    Raises Merchant.DoesNotExist and TooManyApiKeys.
    """
    with transaction.atomic():
        merchant = Merchant.objects.get(slug=slug)
        _wait_for_turn(merchant, mode)
        return _issued(merchant, mode, wanted, by=by, reason=reason)


def issue_api_key_once(request: MerchantRequest, wanted: NewKey, by: Author) -> IssuedKey:
    """A new key for the merchant that asks for it over the API, one for each idempotency key.

    Raises IdempotencyKeyReused and TooManyApiKeys.
    """
    with transaction.atomic():
        _wait_for_turn(request.merchant, request.mode)
        if earlier := issued_before(request):
            return IssuedKey(earlier, "")
        return _issued(request.merchant, request.mode, wanted, by=by, request=request)


def rotate_api_key(
    key: ApiKey,
    *,
    overlap: timedelta,
    expires_at: datetime | None = None,
    reason: str = "",
    by: Author,
    request: MerchantRequest | None = None,
) -> IssuedKey:
    """A new key with the name and scopes of this one, which then works for `overlap`, and not longer.

    `request` is set if the merchant asks for it over the API. Raises ApiKeyNotFound if the key is not in
    force, TooManyApiKeys and IdempotencyKeyReused.
    """
    with transaction.atomic():
        _wait_for_turn(key.merchant, key.mode)
        if request is not None and (earlier := issued_before(request)):
            return IssuedKey(earlier, "")
        old, now = ApiKey.objects.select_for_update().get(pk=key.pk), read_clock()
        if old.state_at(now) != ApiKey.State.ACTIVE:
            raise ApiKeyNotFound(f"The API key {old} is not in force.")
        if old.expires_at is None or now + overlap < old.expires_at:
            old.expires_at = now + overlap
            old.save(update_fields=["expires_at"])
        wanted = NewKey(old.name, frozenset(old.scopes), expires_at)  # type: ignore[arg-type]  # as stored
        return _issued(key.merchant, key.mode, wanted, by=by, reason=reason, request=request, replaces=old)


def disable_api_key(key_id: int, *, reason: str, by: Author) -> bool:
    """Disable an API key: it fails the next request. False if it was already disabled."""
    with transaction.atomic():
        disabled = ApiKey.objects.filter(pk=key_id, disabled_at=None).update(disabled_at=ClockTimestamp())
        if disabled:
            key = ApiKey.objects.select_related("merchant").get(pk=key_id)
            _log(by, Event.Type.API_KEY_DISABLED, **_named(key), reason=reason)
    return bool(disabled)


def issued_before(request: MerchantRequest) -> ApiKey | None:
    """The API key that an earlier request with this idempotency key has issued, or None.

    Raises IdempotencyKeyReused if that was another request.
    """
    key = ApiKey.objects.filter(
        merchant=request.merchant, mode=request.mode, idempotency_key=request.idempotency_key
    ).first()
    if key and not is_same_request(request, key.fingerprint, key.fingerprint_key_id):
        raise IdempotencyKeyReused(
            "This Idempotency-Key was first used for another request, or too long ago to be compared."
        )
    return key


def keys_in_force(merchant: Merchant, mode: str) -> QuerySet[ApiKey]:
    """The merchant's API keys that work in this mode."""
    unexpired = Q(expires_at=None) | Q(expires_at__gt=ClockTimestamp())
    return ApiKey.objects.filter(unexpired, merchant=merchant, mode=mode, disabled_at=None)


def find_api_key(plain: str) -> ApiKey | None:
    """The key in force with this plain text, or None."""
    key = ApiKey.objects.filter(digest=ApiKey.digest_of(plain)).first()
    return key if key and key.state_at(read_clock()) == ApiKey.State.ACTIVE else None


def _issued(
    merchant: Merchant,
    mode: str,
    wanted: NewKey,
    *,
    by: Author | None,
    reason: str = "",
    request: MerchantRequest | None = None,
    replaces: ApiKey | None = None,
) -> IssuedKey:
    """Issue a key within the caller's transaction. Raises TooManyApiKeys."""
    if keys_in_force(merchant, mode).count() >= MOST_KEYS:
        raise TooManyApiKeys(f"This merchant has {MOST_KEYS} API keys in force in {mode} mode.")
    plain = ApiKey.generate(Mode(mode))
    fingerprint, fingerprint_key_id = request.fingerprint() if request else ("", "")
    key = ApiKey.objects.create(
        merchant=merchant,
        mode=mode,
        name=wanted.name,
        scopes=in_order(wanted.scopes),
        digest=ApiKey.digest_of(plain),
        last4=plain[-4:],
        expires_at=wanted.expires_at,
        replaces=replaces,
        idempotency_key=request.idempotency_key if request else None,
        fingerprint=fingerprint,
        fingerprint_key_id=fingerprint_key_id,
    )
    rights = {"name": key.name, "scopes": ", ".join(key.scopes), "expires": _told(key.expires_at)}
    if replaces is None:
        _log(by, Event.Type.API_KEY_CREATED, **_named(key), **rights, reason=reason)
    else:
        old = {"replaces": str(replaces), "which_expires": _told(replaces.expires_at)}
        _log(by, Event.Type.API_KEY_ROTATED, **_named(key), **rights, **old, reason=reason)
    return IssuedKey(key, plain)


def _wait_for_turn(merchant: Merchant, mode: str) -> None:
    """One at a time issues keys of a merchant and mode, until the transaction ends."""
    with connection.cursor() as cursor:
        lock = f"API keys of {merchant.pk} in {mode} mode"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [lock])


def _named(key: ApiKey) -> dict[str, str]:
    return {"key": str(key), "key_id": key.public_id, "merchant": key.merchant.slug}


def _told(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "never"


def _log(by: Author | None, event: Event.Type, **evidence: Any) -> None:
    """Write a line into the append-only log: who, when, from where, and why."""
    if by is None:
        return
    Event.objects.create(
        type=event,
        actor=by.actor,
        request_id=by.request_id,
        evidence={**evidence, "user": by.user_id, "from": by.address},
    )
