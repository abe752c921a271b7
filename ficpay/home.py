"""The front door, and what is said at doors that do not exist."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views import defaults
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from payments.api.errors import internal_error, request_id_of, response_of
from payments.services import answers

LINKS = {
    "api_docs": "/api/docs/",
    "api_reference": "/api/redoc/",
    "openapi": "/api/schema/",
    "health": "/health/ready",
    "admin": "/admin/",
}


@vary_on_headers("Accept")
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What this is and where the documentation is: a page for people, JSON for programs."""
    if request.get_preferred_type(["application/json", "text/html"]) == "text/html":
        return render(request, "home.html", {"links": LINKS})
    about = "FicPay, a payment gateway: authorize, capture, void and refund at /api/v1/payments."
    return JsonResponse({"name": "FicPay", "about": about, **LINKS})


@require_safe
def icon(_request: HttpRequest) -> HttpResponse:
    """Where browsers look for an icon that no page names."""
    return redirect(static("payments/icon.svg"))


def nowhere(request: HttpRequest) -> HttpResponseBase:
    """Every address that is none; a view, since in development Django's own page would repeat the address."""
    return not_found(request, Http404())


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """404: problem details below /api/, Django's plain page elsewhere."""
    if not request.path.startswith("/api/"):
        return defaults.page_not_found(request, exception)
    return response_of(
        answers.problem(
            status=404,
            code="not_found",
            title="Not found",
            detail="There is nothing at this address. The API is described at /api/docs/.",
            request_id=request_id_of(request),
        )
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """400 from below the views, as for a host name that is not ours."""
    if not request.path.startswith("/api/"):
        return defaults.bad_request(request, exception)
    return response_of(
        answers.problem(
            status=400,
            code="validation_error",
            title="The request is invalid",
            detail="The request's address or headers are invalid.",
            request_id=request_id_of(request),
        )
    )


def server_error(request: HttpRequest) -> HttpResponseBase:
    """500 from below the views."""
    if not request.path.startswith("/api/"):
        return defaults.server_error(request)
    return response_of(internal_error(request_id_of(request), writes=request.method == "POST"))
