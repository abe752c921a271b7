"""What browsers may load and run on our pages (Content-Security-Policy).

One policy for each kind of page, as strict as its scripts let it be; the tests in a browser fail on whatever
a page tries beyond its policy.
"""

from typing import Any

from csp.constants import HEADER, NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from csp.utils import build_policy
from django.http import HttpRequest, HttpResponseBase

Directives = dict[str, Any]

# Nothing but our style sheets and styles with this answer's nonce: the API's answers, the front door, errors.
PLAIN: Directives = {
    "default-src": [NONE],
    "style-src": [SELF, NONCE],
    "base-uri": [NONE],
    "form-action": [NONE],
    "frame-ancestors": [NONE],
}
BACK_OFFICE: Directives = PLAIN | {
    # Alpine.js, by which unfold's pages are alive, compiles the expressions in their attributes.
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
    "style-src": [SELF, UNSAFE_INLINE],  # its styled-components write style elements and know no nonce
    "img-src": [SELF, "data:"],  # and not its badge's logo, which it would load from elsewhere
    "worker-src": ["blob:"],  # its search
    "connect-src": [SELF],
}
_OF_THE_API = build_policy(PLAIN)
_BY_PATH = {"/admin/": BACK_OFFICE, "/api/docs/": SWAGGER_UI, "/api/redoc/": REDOC}


class ContentSecurityMiddleware(CSPMiddleware):
    """django-csp, with the policy that belongs to the page's address."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """The API's answers are no pages: none has a nonce, and all have one policy, made once."""
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
