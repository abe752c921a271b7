"""The Content-Security-Policy of our pages: what a browser may load and run.

Each kind of page has the strictest policy that its scripts allow. The browser tests fail if a page violates
its policy.
"""

from typing import Any

from csp.constants import HEADER, NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from csp.utils import build_policy
from django.http import HttpRequest, HttpResponseBase

Directives = dict[str, Any]

# For API responses, the home page and error pages: only our style sheets, and styles with the response's
# nonce.
PLAIN: Directives = {
    "default-src": [NONE],
    "style-src": [SELF, NONCE],
    "base-uri": [NONE],
    "form-action": [NONE],
    "frame-ancestors": [NONE],
}
BACK_OFFICE: Directives = PLAIN | {
    # Unfold's pages use Alpine.js, which compiles the expressions in their attributes.
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src-attr": [UNSAFE_INLINE],  # Alpine.js and unfold's widgets set widths in style attributes
    "font-src": [SELF],
    "img-src": [SELF],
    "connect-src": [SELF],
    "form-action": [SELF],
}
SWAGGER_UI: Directives = PLAIN | {
    "script-src": [SELF],
    "img-src": [SELF, "data:"],  # its icons
    "connect-src": [SELF],
}
REDOC: Directives = PLAIN | {
    "script-src": [SELF],
    "style-src": [SELF, UNSAFE_INLINE],  # styled-components writes style elements without a nonce
    "img-src": [SELF, "data:"],  # this blocks the logo in its badge, which comes from another site
    "worker-src": ["blob:"],  # its search
    "connect-src": [SELF],
}
_OF_THE_API = build_policy(PLAIN)
_BY_PATH = {"/admin/": BACK_OFFICE, "/api/docs/": SWAGGER_UI, "/api/redoc/": REDOC}


class ContentSecurityMiddleware(CSPMiddleware):
    """django-csp, with the policy chosen by the page's URL."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Give all API responses the same prebuilt policy: they need no nonce."""
        if not request.path_info.startswith("/api/v1/"):
            return super().process_response(request, response)
        response.setdefault(HEADER, _OF_THE_API)
        return response

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only:
            parts.config = next(
                (policy for path, policy in _BY_PATH.items() if request.path.startswith(path)), PLAIN
            )
        return parts
