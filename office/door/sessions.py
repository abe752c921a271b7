"""Sessions end after a time without requests (`FICPAY_SESSION_MINUTES`), and with the browser.

To know the last request, Django would write the session at every request. Here an active session is written
at most once a minute, so it may end up to a minute early. The API never writes it.
"""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

_SEEN = "seen_at"
_REFRESHED_AFTER = 60.0  # seconds


class IdleSessionMiddleware:
    """Extends the session of active users."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.session.accessed and request.user.is_authenticated:
            signed_in = request.user.last_login
            seen = request.session.get(_SEEN) or (signed_in.timestamp() if signed_in else 0)
            if time.time() - seen > _REFRESHED_AFTER:
                request.session[_SEEN] = time.time()  # saved with a new end by Django's middleware
        return response
