"""Large bodies: statements that staff upload, at one URL. They go to disk as they arrive.

Only somebody who is signed in may send one, and only a few at a time, so that nobody fills the disk. Who may
import statements is up to the page.
"""

import asyncio
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import DatabaseError, connection
from django.http import parse_cookie

log = structlog.get_logger("ficpay.uploads")

SECONDS = 120  # 10 MB over a line of 0.7 Mbit/s
_AT_ONCE = 4  # in this process
_OVERHEAD = 64 * 1024  # the form's other fields
turns = asyncio.Semaphore(_AT_ONCE)


def largest() -> int:
    """Bytes of a whole body. The page refuses a file that is too large in its own words."""
    return settings.LARGEST_UPLOAD + _OVERHEAD


def is_one(scope: Any) -> bool:
    """Whether the request may be an upload."""
    path: bytes = scope["raw_path"].partition(b"?")[0]
    is_post: bool = scope["method"] == "POST"
    return is_post and path == settings.LARGE_UPLOADS.encode()


def is_from_staff(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the request has the cookie of somebody who is signed in. False if the database is away."""
    key = _session_key(headers)
    if not key:
        return False
    store = import_module(settings.SESSION_ENGINE).SessionStore
    try:
        return SESSION_KEY in store(key)
    except DatabaseError:
        log.warning("session_not_read", exc_info=True)
        return False
    finally:
        connection.close()


def _session_key(headers: Iterable[tuple[bytes, bytes]]) -> str:
    sent = "; ".join(value.decode("latin-1") for name, value in headers if name == b"cookie")
    key: str = parse_cookie(sent).get(settings.SESSION_COOKIE_NAME, "")
    return key
