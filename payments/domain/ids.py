"""Ids as the outside sees them: a prefix that says what it names, and a UUID's 32 hexadecimal digits."""

import re
from uuid import UUID, uuid4

PAYMENT_PREFIX = "pay_"
OPERATION_PREFIX = "op_"
_UUID_HEX = re.compile(r"[0-9a-f]{32}")
# Without a comma: servers join two headers of one name by it.
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,255}")


def new_id() -> UUID:
    """A random id. Its digits are never mistaken for a card number: `cards` knows a UUID."""
    return uuid4()


def is_idempotency_key(text: str) -> bool:
    """Whether a merchant may use it as one: 1 to 255 visible ASCII characters without a comma."""
    return _IDEMPOTENCY_KEY.fullmatch(text) is not None


def public_id(prefix: str, value: UUID) -> str:
    return f"{prefix}{value.hex}"


def parse_public_id(prefix: str, text: str) -> UUID | None:
    """The UUID of a public id, or None where the text is none with this prefix."""
    digits = text.removeprefix(prefix)
    if digits == text or not _UUID_HEX.fullmatch(digits):
        return None
    return UUID(digits)
