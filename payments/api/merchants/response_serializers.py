"""What the calls about the merchant respond, described for the OpenAPI document. `shown` makes it."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from payments.api.response_serializers import MERCHANT_OPERATIONS
from payments.domain.scopes import Scope
from payments.models import ApiKey

API_KEY_ID_PATTERN = "^key_[0-9a-f]{32}$"
SCOPES = [scope.value for scope in Scope]
API_KEY_STATES = [state.value for state in ApiKey.State]


class ApiKeySerializer(serializers.Serializer[Any]):
    """An API key. Its secret is stored nowhere."""

    id = serializers.RegexField(API_KEY_ID_PATTERN)
    livemode = serializers.BooleanField(help_text="True: for real money. False: a test key.")
    name = serializers.CharField(allow_null=True)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=SCOPES),
        help_text="`payments:read`: receipts, lists, histories and orders. `payments:write`: authorize, "
        "capture, void and refund. `webhooks`: webhook endpoints. `keys`: the calls about API keys.",
    )
    hint = serializers.CharField(help_text="The beginning and the last four characters of the secret.")
    state = serializers.ChoiceField(
        choices=API_KEY_STATES, help_text="Only an `active` key works. The others get a 401."
    )
    replaces = serializers.RegexField(
        API_KEY_ID_PATTERN, allow_null=True, help_text="The key that this one was made to replace."
    )
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True, help_text="Null: it does not expire.")
    disabled_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(
        allow_null=True, help_text="At most a minute behind. Null: never used."
    )


@extend_schema_serializer(many=False)  # drf-spectacular would describe a list of pages
class ApiKeyListSerializer(serializers.Serializer[Any]):
    """API keys, newest first."""

    results = ApiKeySerializer(many=True)


class IssuedApiKeySerializer(serializers.Serializer[Any]):
    """A new API key, with its secret."""

    api_key = ApiKeySerializer()
    secret = serializers.CharField(
        allow_null=True,
        help_text="For the `Authorization` header. Only the first response has it: a repetition gets null, "
        "because FicPay does not store it.",
    )
    replaced = ApiKeySerializer(allow_null=True, help_text="The old key of a rotation, with its new expiry.")
    notice = serializers.CharField(allow_null=True, help_text="A sentence about what to do now.")


class DisabledApiKeySerializer(serializers.Serializer[Any]):
    """An API key that no longer works."""

    api_key = ApiKeySerializer()
    notice = serializers.CharField(
        allow_null=True,
        help_text="Says so if it was the key of this request, and if no key with the scope `keys` is left.",
    )


class UsableCurrencySerializer(serializers.Serializer[Any]):
    """A currency that the merchant may use, and what the bank that serves it can do."""

    currency = serializers.CharField()
    operations = serializers.ListField(child=serializers.ChoiceField(choices=MERCHANT_OPERATIONS))
    partial_captures = serializers.BooleanField()
    partial_refunds = serializers.BooleanField()


class RateLimitSerializer(serializers.Serializer[Any]):
    requests = serializers.IntegerField()
    seconds = serializers.IntegerField(help_text="The window's length. Windows start with each full minute.")


class LimitsSerializer(serializers.Serializer[Any]):
    """Requests per window. Each of the three is counted apart."""

    writes = RateLimitSerializer(help_text="POSTs with a new idempotency key, and DELETEs.")
    reads = RateLimitSerializer(help_text="GETs.")
    replays = RateLimitSerializer(help_text="POSTs whose idempotency key is known: retries.")


class MerchantSerializer(serializers.Serializer[Any]):
    """The merchant in the API key's mode."""

    id = serializers.CharField()
    name = serializers.CharField()
    livemode = serializers.BooleanField(help_text="True: real money. False: the API key is a test key.")
    currencies = UsableCurrencySerializer(many=True, help_text="Others are refused.")
    limits = LimitsSerializer()
    api_key = ApiKeySerializer(help_text="The key of this request.")
