"""Public ids: a prefix for the kind of object, and a UUID's 32 hexadecimal digits."""

import re
from uuid import UUID, uuid4

PAYMENT_PREFIX = "pay_"
OPERATION_PREFIX = "op_"
API_KEY_PREFIX = "key_"
_UUID_HEX = re.compile(r"[0-9a-f]{32}")
# No comma: servers join repeated headers with one.
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,255}")


def new_id() -> UUID:
    """A random id. `cards` recognizes UUIDs, so its digits are never taken for a card number."""
    return uuid4()


def is_idempotency_key(text: str) -> bool:
    """Whether the text is a valid idempotency key: 1 to 255 visible ASCII characters, no comma."""
    return _IDEMPOTENCY_KEY.fullmatch(text) is not None


def public_id(prefix: str, value: UUID) -> str:
    return f"{prefix}{value.hex}"


def parse_public_id(prefix: str, text: str) -> UUID | None:
    """The UUID of a public id with this prefix, or None where the text is not one."""
    digits = text.removeprefix(prefix)
    if digits == text or not _UUID_HEX.fullmatch(digits):
        return None
    return UUID(digits)
