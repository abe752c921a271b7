"""API keys: `Authorization: Bearer sk_live_...` or `sk_test_...`."""

from dataclasses import dataclass

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from payments.models import ApiKey, Merchant
from payments.usecases.merchants import find_api_key


@dataclass(frozen=True)
class Caller:
    """Who asks: a merchant, in one mode. All it sees and changes is of this merchant and mode."""

    key: ApiKey

    is_authenticated = True

    @property
    def merchant(self) -> Merchant:
        return self.key.merchant

    @property
    def mode(self) -> str:
        return self.key.mode

    @property
    def routes(self) -> dict[str, str]:
        """The bank that serves each currency the merchant may use in this mode."""
        return {route["currency"]: route["bank"] for route in vars(self.key)["routes"]}

    @property
    def actor(self) -> str:
        """For events and logs."""
        return f"api_key:{self.key.pk}"


class ApiKeyAuthentication(BaseAuthentication):
    """Finds the caller by the digest of the key."""

    def authenticate(self, request: Request) -> tuple[Caller, Caller]:
        scheme, _, plain = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            raise AuthenticationFailed("Send an API key: `Authorization: Bearer sk_test_...`.")
        key = find_api_key(plain.decode("latin-1").strip())
        if key is None:
            raise AuthenticationFailed("This API key is unknown or has been disabled.")
        caller = Caller(key)
        return caller, caller

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="FicPay"'


class IsActiveMerchant(BasePermission):
    """An inactive merchant's keys open nothing."""

    message = "This merchant is not active."

    def has_permission(self, request: Request, view: object) -> bool:
        return caller_of(request).merchant.is_active


def caller_of(request: Request) -> Caller:
    """The authenticated caller. Raises NotAuthenticated where there is none."""
    caller = request.auth
    if not isinstance(caller, Caller):
        raise NotAuthenticated
    return caller
