"""The calls about the merchant itself: what it may do, and its API keys."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from payments.api.authentication import caller_of
from payments.api.base import ApiView, body_of, idempotency_key_of
from payments.api.errors import request_id_of
from payments.api.merchants import schema, shown
from payments.api.merchants.serializers import CreateApiKeySerializer, RotateApiKeySerializer
from payments.domain.ids import API_KEY_PREFIX, is_idempotency_key, parse_public_id
from payments.domain.problems import NEXT_GRANTING
from payments.domain.rates import Budget
from payments.domain.scopes import Scope, Scopes, in_order
from payments.engine.callers import Caller
from payments.engine.claim import REPLAYED, MerchantRequest
from payments.engine.refusals import ApiKeyNotFound, MissingScope
from payments.models import ApiKey
from payments.models.clock import clock_in, read_clock
from payments.usecases.merchants import (
    ByApiKey,
    IssuedKey,
    NewKey,
    disable_api_key,
    issue_api_key_once,
    issued_before,
    keys_in_force,
    rotate_api_key,
)

_ENDED_KEYS_LISTED_FOR = timedelta(days=30)
_IS_ITSELF = "This was the key of the request: it no longer works."
_IS_ITSELF_WITH_OVERLAP = "The replaced key is the key of this request: change to the new one in time."
_NONE_LEFT = "No API key with the scope `keys` is left in this mode. FicPay's operators can issue one."
_SHOWN_BEFORE = (
    "The secret was in the first response only: FicPay does not store it. If you do not have it, disable "
    "this key and create another one with a new idempotency key."
)
Issue = Callable[[MerchantRequest, Any], IssuedKey]  # with the parsed body


class MerchantViewSet(ApiView):
    scopes: ClassVar = {}  # every key may read about itself

    @schema.read_merchant
    def retrieve(self, request: Request) -> Response:
        caller = caller_of(request)
        key = ApiKey.objects.select_related("replaces").get(pk=caller.key_id)
        return Response(shown.merchant(caller, key))


class ApiKeyViewSet(ApiView):
    http_method_names = ["get", "head", "post", "delete"]  # noqa: RUF012 - Django's own way
    scopes: ClassVar = dict.fromkeys(("GET", "HEAD", "POST", "DELETE"), Scope.KEYS)

    def budget(self, request: Request) -> Budget:
        """These calls keep the idempotency keys of their POSTs apart from those of payments."""
        if request.method != "POST":
            return super().budget(request)
        caller, key = caller_of(request), request.headers.get("Idempotency-Key", "")
        earlier = ApiKey.objects.filter(merchant=caller.merchant, mode=caller.mode, idempotency_key=key)
        return Budget.REPLAYS if is_idempotency_key(key) and earlier.exists() else Budget.WRITES

    @schema.list_api_keys
    def list(self, request: Request) -> Response:
        caller = caller_of(request)
        lately = clock_in(-_ENDED_KEYS_LISTED_FOR.total_seconds())
        recent = Q(disabled_at=None) | Q(disabled_at__gt=lately)
        recent &= Q(expires_at=None) | Q(expires_at__gt=lately)
        keys = _keys_of(caller).filter(recent).order_by("-created_at", "-pk")
        return Response({"results": [shown.api_key(key, caller.now) for key in keys]})

    @schema.create_api_key
    def create(self, request: Request) -> HttpResponse:
        caller = caller_of(request)

        def issue(asked: MerchantRequest, body: Any) -> IssuedKey:
            form = CreateApiKeySerializer(data=body, context={"now": caller.now})
            form.is_valid(raise_exception=True)
            wanted = NewKey(
                name=form.validated_data["name"],
                scopes=form.validated_data.get("scopes", caller.scopes),
                expires_at=form.validated_data.get("expires_at"),
            )
            _check_grant(caller, wanted.scopes)
            return issue_api_key_once(asked, wanted, _by(request))

        return self._issue_once(request, issue)

    @schema.rotate_api_key
    def rotate(self, request: Request, key_id: str) -> HttpResponse:
        caller = caller_of(request)

        def issue(asked: MerchantRequest, body: Any) -> IssuedKey:
            form = RotateApiKeySerializer(data=body, context={"now": caller.now})
            form.is_valid(raise_exception=True)
            key = _find_key(caller, key_id)
            _check_grant(caller, frozenset(map(Scope, key.scopes)))
            return rotate_api_key(
                key,
                overlap=timedelta(seconds=form.validated_data["overlap_seconds"]),
                expires_at=form.validated_data.get("expires_at"),
                by=_by(request),
                request=asked,
            )

        return self._issue_once(request, issue)

    @schema.disable_api_key
    def destroy(self, request: Request, key_id: str) -> Response:
        caller = caller_of(request)
        key = _find_key(caller, key_id)
        disable_api_key(key.pk, reason="", by=_by(request))
        notices = [_IS_ITSELF] if key.pk == caller.key_id else []
        if not keys_in_force(caller.merchant, caller.mode).filter(scopes__contains=[Scope.KEYS]).exists():
            notices.append(_NONE_LEFT)
        key = _keys_of(caller).get(pk=key.pk)
        shown_key = shown.api_key(key, read_clock())
        return Response({"api_key": shown_key, "notice": " ".join(notices) or None})

    def _issue_once(self, request: Request, issue: Issue) -> HttpResponse:
        """Respond to a POST that issues a key. A repetition gets the key as it is now, without its secret.

        As with payments, the idempotency key is looked up before the body is validated.
        """
        key = idempotency_key_of(request)
        body, unreadable = body_of(request)
        asked = self.merchant_request(request, key, body)
        earlier = issued_before(asked)
        if earlier is None and unreadable is not None:
            raise unreadable
        issued = IssuedKey(earlier, "") if earlier else issue(asked, body)
        return _shown_issued(caller_of(request), issued)


def _shown_issued(caller: Caller, issued: IssuedKey) -> HttpResponse:
    key, now = issued.key, read_clock()
    notice = None if issued.plain else _SHOWN_BEFORE
    if issued.plain and key.replaces_id == caller.key_id:
        notice = _IS_ITSELF_WITH_OVERLAP
    content = {
        "api_key": shown.api_key(key, now),
        "secret": issued.plain or None,
        "replaced": shown.api_key(key.replaces, now) if key.replaces else None,
        "notice": notice,
    }
    return Response(content, status=201, headers={} if issued.plain else {REPLAYED: "true"})


def _keys_of(caller: Caller) -> Any:
    return ApiKey.objects.filter(merchant=caller.merchant, mode=caller.mode).select_related(
        "merchant", "replaces"
    )


def _find_key(caller: Caller, key_id: str) -> ApiKey:
    """The caller's API key with this public id. Raises ApiKeyNotFound."""
    uid: UUID | None = parse_public_id(API_KEY_PREFIX, key_id)
    key: ApiKey | None = _keys_of(caller).filter(uid=uid).first() if uid else None
    if key is None:
        raise ApiKeyNotFound("There is no such API key.")
    return key


def _check_grant(caller: Caller, scopes: Scopes) -> None:
    """A key never gives more than it has. Raises MissingScope."""
    if lacking := in_order(scopes - caller.scopes):
        named = ", ".join(f"`{scope}`" for scope in lacking)
        raise MissingScope(
            f"This API key lacks {named}, so it cannot give it to another key.", next_step=NEXT_GRANTING
        )


def _by(request: Request) -> ByApiKey:
    return ByApiKey(caller_of(request).actor, request_id_of(request._request))
