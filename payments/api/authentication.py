"""API keys: `Authorization: Bearer sk_live_...` or `sk_test_...`."""

from typing import Any

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from payments.domain.ids import PAYMENT_PREFIX, is_idempotency_key, parse_public_id
from payments.domain.problems import NEXT_INACTIVE
from payments.domain.scopes import Scope
from payments.engine.callers import Caller, find_caller, uses
from payments.engine.refusals import MerchantInactive, MissingScope


class ApiKeyAuthentication(BaseAuthentication):
    """Finds the caller by the API key's digest, and with the same query what the request refers to."""

    def authenticate(self, request: Request) -> tuple[Caller, Caller]:
        scheme, _, plain = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            raise AuthenticationFailed("Send an API key: `Authorization: Bearer sk_test_...`.")
        key = request.headers.get("Idempotency-Key", "")
        named = request.parser_context["kwargs"].get("payment_id", "")
        caller = find_caller(
            plain.decode("latin-1").strip(),
            idempotency_key=key if is_idempotency_key(key) else "",
            payment_id=parse_public_id(PAYMENT_PREFIX, named),
        )
        if caller is None:
            raise AuthenticationFailed("This API key is unknown, has expired or has been disabled.")
        uses.note(caller)
        return caller, caller

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="FicPay"'


class MayCall(BasePermission):
    """Refuses every request of an inactive merchant, and those that the key's scopes do not cover."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Raises MerchantInactive and MissingScope."""
        caller = caller_of(request)
        if not caller.merchant.is_active:
            raise MerchantInactive("This merchant is not active.", next_step=NEXT_INACTIVE)
        needed: Scope | None = view.scopes.get(request.method)
        if needed is not None and needed not in caller.scopes:
            raise MissingScope(f"This API key lacks the scope `{needed}`.")
        return True


def caller_of(request: Request) -> Caller:
    """The authenticated caller. Raises NotAuthenticated if there is none."""
    caller = request.auth
    if not isinstance(caller, Caller):
        raise NotAuthenticated
    return caller
