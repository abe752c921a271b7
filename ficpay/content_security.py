"""What browsers may load and run on our pages (Content-Security-Policy).

One policy for each kind of page, as strict as its scripts let it be; the tests in a browser fail on whatever
a page tries beyond its policy.
"""

from typing import Any

from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase

Directives = dict[str, Any]

# Nothing but our own inline style. The API's answers, the front door, errors.
PLAIN: Directives = {
    "default-src": [NONE],
    "style-src": [NONCE],
    "base-uri": [NONE],
    "form-action": [NONE],
    "frame-ancestors": [NONE],
}
BACK_OFFICE: Directives = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "font-src": [SELF],
    "img-src": [SELF],
    "connect-src": [SELF],
    "base-uri": [NONE],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
}
DOCUMENTATION: Directives = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF],
    "connect-src": [SELF],
    "base-uri": [NONE],
    "form-action": [NONE],
    "frame-ancestors": [NONE],
}
_BY_PATH = {"/admin/": BACK_OFFICE, "/api/docs/": DOCUMENTATION, "/api/redoc/": DOCUMENTATION}


class ContentSecurityMiddleware(CSPMiddleware):
    """django-csp, with the policy that belongs to the page's address."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only:
            parts.config = next(
                (policy for path, policy in _BY_PATH.items() if request.path.startswith(path)), PLAIN
            )
        return parts
