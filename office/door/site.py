"""The admin site: unfold's, with a second factor at the login."""

from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import Resolver404, URLPattern, path, resolve, reverse
from django.views.decorators.cache import cache_control, never_cache

from office.door import second_factor
from office.door.forms import LoginForm, SetUpForm

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite
else:
    from unfold.sites import UnfoldAdminSite as AdminSite

SECOND_FACTOR = "admin:second_factor"


def keeps_typed(view: Any) -> bool:
    """Whether the view's page shows drafts (`office.decisions.drafts`)."""
    return bool(getattr(view, "keeps_typed", False))


class BackOffice(AdminSite):
    """For staff only; with FICPAY_REQUIRE_SECOND_FACTOR, only after a login with a code."""

    login_form = LoginForm
    login_template = "office/door/login.html"

    def extra_urls(self) -> list[URLPattern]:
        return [
            path("colors.css", cache_control(max_age=3600)(self.colors), name="colors"),
            path("second-factor/", never_cache(self.second_factor), name="second_factor"),
            # Overrides Django's, which cannot be reached without the second factor.
            path("logout/", never_cache(self.logout), name="logout"),
        ]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Without unfold's inline colors: they are a style sheet of their own."""
        return super().each_context(request) | {"colors": None}

    def colors(self, request: HttpRequest) -> HttpResponse:
        """The theme's colors. Public, because the login page uses them."""
        theme = super().each_context(request)
        return TemplateResponse(request, "office/door/colors.css", theme, content_type="text/css")

    def has_permission(self, request: HttpRequest) -> bool:
        if not super().has_permission(request):
            return False
        return not settings.REQUIRE_SECOND_FACTOR or second_factor.is_verified(request.user)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """If the session has ended when a form is sent, its input is carried through the login."""
        guarded = super().admin_view(view, cacheable)

        @wraps(guarded)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if request.method == "POST" and not request.user.is_authenticated and keeps_typed(view):
                return self._log_in_again(request)
            return guarded(request, *args, **kwargs)

        return inner

    def _log_in_again(self, request: HttpRequest) -> HttpResponse:
        """The login page with the input in a hidden field: nothing is stored before a login."""
        from office.decisions import drafts  # noqa: PLC0415 - its package registers pages at this site

        context = self.each_context(request) | {
            "title": "Log in",
            "app_path": reverse("admin:login"),
            "next": request.get_full_path(),
            "form": self.login_form(request),
            "typed": drafts.for_login_form(request),
            "had_ended": True,
        }
        request.current_app = self.name
        return TemplateResponse(request, self.login_template, context)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Leads users who have a password but still need a second factor to its setup."""
        if request.method == "GET" and self._must_set_up(request):
            return redirect(SECOND_FACTOR)
        typed = request.POST.get("typed", "")
        response = super().login(request, {"typed": typed} | (extra_context or {}))
        if not (request.user.is_authenticated and isinstance(response, HttpResponseRedirect)):
            return response
        asked_for = urlsplit(response.url).path
        if typed:
            from office.decisions import drafts  # noqa: PLC0415 - as above

            return redirect(drafts.restored_after_login(request, asked_for, typed))
        return response if _is_a_page_of_staff(asked_for) else redirect("admin:index")

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The page on which members of staff change their own password."""
        from office.door.own_password import OwnPasswordView  # noqa: PLC0415 - registers pages at this site

        request.current_app = self.name
        view = OwnPasswordView.as_view(
            success_url=reverse("admin:password_change_done"),
            extra_context=self.each_context(request) | (extra_context or {}),
        )
        return view(request)

    def second_factor(self, request: HttpRequest) -> HttpResponse:
        """The page on which members of staff set up their authenticator app."""
        from office.log.actors import staff_of  # noqa: PLC0415 - its package registers pages at this site

        if not super().has_permission(request):
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        if request.method != "POST" or second_factor.device_of(request.user):
            return self._second_factor_page(request, SetUpForm(request))
        form = SetUpForm(request, request.POST)
        offered = second_factor.offered_device(request.user)
        if form.is_valid() and offered:
            code = form.cleaned_data["code"]
            if second_factor.confirm_device(request, staff_of(request), offered, code):
                messages.success(
                    request, "Second factor set up. The login now asks for a code from your app."
                )
                return redirect("admin:index")
            form.add_error("code", "Wrong code. Wait for the app's next code and type that one.")
        return self._second_factor_page(request, form, offered)

    def _second_factor_page(self, request: HttpRequest, form: SetUpForm, offered: Any = None) -> HttpResponse:
        context = self.each_context(request) | {"title": "Second factor", "form": form}
        device = second_factor.device_of(request.user)
        if device is None:
            offered = offered or second_factor.offer_device(request.user)
            context |= {
                "qr_code": second_factor.qr_code(offered),
                "secret": second_factor.secret_to_type(offered),
                "is_required": settings.REQUIRE_SECOND_FACTOR,
            }
        request.current_app = self.name
        return TemplateResponse(request, "office/door/second_factor.html", context)

    def _must_set_up(self, request: HttpRequest) -> bool:
        return (
            super().has_permission(request)
            and not self.has_permission(request)
            and second_factor.device_of(request.user) is None
        )


def _is_a_page_of_staff(address: str) -> bool:
    """Whether a login may lead there: not to a 404, to the API, or to the logout."""
    try:
        found = resolve(address)
    except Resolver404:
        return False
    below = address.startswith(reverse("admin:index"))
    return below and found.url_name is not None and found.view_name != "admin:logout"
