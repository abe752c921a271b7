"""Callers who hang up: what a client's time-out or its crash looks like from a bank."""

import http.client
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit


def hang_up_on(
    url: str,
    path: str,
    body: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    *,
    when: Callable[[], None],
) -> None:
    """POST the body, and close the connection as soon as `when` returns, without reading an answer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request("POST", path, json.dumps(body), dict(headers or {}))
        when()
    finally:
        connection.close()
