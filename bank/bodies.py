"""Reading the body of a request."""

import json
from typing import Any

from aiohttp import web


class Unreadable(Exception):
    """The body is not a JSON object, or one of its fields has the wrong type."""


async def read(request: web.Request) -> bytes:
    """The whole body. Raises Unreadable if it is too long or incomplete."""
    try:
        return await request.read()
    except (web.HTTPException, web.RequestPayloadError):
        raise Unreadable from None


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in the body. Raises Unreadable."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable from None
    if not isinstance(value, dict):
        raise Unreadable
    return value
