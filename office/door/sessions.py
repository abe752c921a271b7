"""Sessions end after a time without a request (`FICPAY_SESSION_MINUTES`), and with the browser.

Django would write the session at every request to know when the last one was. Here a session that is in use
is written once a minute at most, which makes it up to a minute shorter, and never for the API.
"""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

_SEEN = "seen_at"
_REFRESHED_AFTER = 60.0  # seconds


class IdleSessionMiddleware:
    """Keep the session of whoever is at work alive."""

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
