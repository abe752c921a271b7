"""The home page, and the responses for unknown URLs and errors outside the views."""

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django.views.generic import RedirectView

from ficpay.intake import Fault
from payments.api.errors import internal_error, request_id_of, response_of
from payments.domain.problems import NEXT_AT_NO_ADDRESS, PROBLEMS
from payments.engine import responses

LINKS = {
    "api_docs": "/api/docs/",
    "api_reference": "/api/redoc/",
    "openapi": "/api/schema/",
    "errors": "/problems/",
    "health": "/health/ready",
    "admin": "/admin/",
}

PLAIN_HTTP = Fault(
    "permission_denied",
    "FicPay accepts only https:// and did nothing. The API key was sent unencrypted, so replace it.",
    "Send the request over https://; the old key was sent unencrypted, so have it replaced.",
)
_OTHER_ERRORS = {
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
}


@vary_on_headers("Accept")
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What FicPay is and links to its documentation: HTML for browsers, JSON for programs."""
    if request.get_preferred_type(["application/json", "text/html"]) == "text/html":
        return render(request, "home.html", {"links": LINKS})
    about = "FicPay, a payment gateway: authorize, capture, void and refund at /api/v1/payments."
    return JsonResponse({"name": "FicPay", "about": about, **LINKS})


@require_safe
def icon(_request: HttpRequest) -> HttpResponse:
    """The icon for browsers that request /favicon.ico."""
    return redirect(static("payments/icon.svg"))


def with_slash(name: str) -> Callable[..., HttpResponseBase]:
    """Redirect to the page whose URL only lacks its slash. A POST gets 405: redirected, it would be a GET."""
    return csrf_exempt(require_safe(RedirectView.as_view(pattern_name=name, query_string=True)))


def is_of_the_api(request: HttpRequest) -> bool:
    return request.path == "/api" or request.path.startswith("/api/")


@csrf_exempt  # a POST, too, should get 404
def unknown_url(request: HttpRequest) -> HttpResponseBase:
    """404 for every other URL. Without this view, Django's development page would repeat the URL."""
    return not_found(request, Http404())


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """404: problem details below /api/, Django's page elsewhere."""
    if not is_of_the_api(request):
        return defaults.page_not_found(request, exception)
    detail = "There is nothing at this URL. The API is documented at /api/docs/."
    return _problem(request, "not_found", detail, next_step=NEXT_AT_NO_ADDRESS)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """400 for errors outside the views, such as an unknown host name."""
    if not is_of_the_api(request):
        return defaults.bad_request(request, exception)
    detail = "The request's URL or headers are invalid."
    return _problem(request, "validation_error", detail)


def refused(request: HttpRequest, fault: Fault) -> HttpResponseBase:
    """The response to a request that never reaches a view."""
    if not is_of_the_api(request):
        return HttpResponse(
            f"{fault.detail}\n", status=PROBLEMS[fault.code].status, content_type="text/plain"
        )
    return _problem(request, fault.code, fault.detail, next_step=fault.next)


def as_problem(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """An error response of Django or a library, converted to problem details."""
    status = response.status_code
    if status >= 500:
        return server_error(request)
    code = _OTHER_ERRORS.get(status, "validation_error")
    problem = _problem(request, code, f"{PROBLEMS[code].title}.")
    if "Allow" in response:
        problem["Allow"] = response["Allow"]
    return problem


def server_error(request: HttpRequest) -> HttpResponseBase:
    """500 for errors outside the views."""
    if not is_of_the_api(request):
        return defaults.server_error(request)
    return response_of(internal_error(request_id_of(request), writes=_writes(request)))


def _problem(request: HttpRequest, code: str, detail: str, *, next_step: str = "") -> HttpResponse:
    """A problem for a request that reached no view, so no money has moved."""
    return response_of(
        responses.problem(
            code,
            detail=detail,
            request_id=request_id_of(request),
            writes=_writes(request),
            next_step=next_step,
        )
    )


def _writes(request: HttpRequest) -> bool:
    return request.method not in ("GET", "HEAD", "OPTIONS", "TRACE")
