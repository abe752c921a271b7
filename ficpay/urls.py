"""All URLs."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerSplitView

from ficpay import health, home
from office.schedules import admin as back_office
from payments.api import problem_pages

urlpatterns = [
    path("", home.home),
    path("favicon.ico", home.icon),
    path("api/v1/", include("payments.api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("api/redoc/", SpectacularRedocView.as_view(url_name="schema"), name="redoc"),
    path("problems/", problem_pages.every_problem, name="problems"),
    path("problems/<str:code>", problem_pages.one_problem, name="problem"),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("health", health.ready),
    path("readiness", health.ready),
    # Pages without their slash. Django's APPEND_SLASH is off, because URLs below /api/v1/ have none.
    path("api/schema", home.with_slash("schema")),
    path("api/docs", home.with_slash("docs")),
    path("api/redoc", home.with_slash("redoc")),
    path("problems", RedirectView.as_view(pattern_name="problems")),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/schedules/", include(back_office.urls())),
    path("admin/", admin.site.urls),
    re_path("", home.unknown_url),
]
handler400 = "ficpay.home.bad_request"
handler404 = "ficpay.home.not_found"
handler500 = "ficpay.home.server_error"
