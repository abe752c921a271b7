"""How the body of a request is read."""

import json
from typing import Any

from aiohttp import web


class Unreadable(Exception):
    """The body is not a JSON object, or a field of it is not of the type that is asked for."""


async def read(request: web.Request) -> bytes:
    """The whole body; raises Unreadable where it is too long or broken off."""
    try:
        return await request.read()
    except (web.HTTPException, web.RequestPayloadError):
        raise Unreadable from None


def json_object(body: bytes) -> dict[str, Any]:
    """The object that the body holds; raises Unreadable."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable from None
    if not isinstance(value, dict):
        raise Unreadable
    return value
