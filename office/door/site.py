"""The admin site: unfold's, with a second factor at its door."""

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
    """Whether its page shows again what was typed into it (`office.decisions.drafts`)."""
    return bool(getattr(view, "keeps_typed", False))


class BackOffice(AdminSite):
    """Staff only; with FICPAY_REQUIRE_SECOND_FACTOR, only those who have shown a code."""

    login_form = LoginForm
    login_template = "office/door/login.html"

    def extra_urls(self) -> list[URLPattern]:
        return [
            path("colors.css", cache_control(max_age=3600)(self.colors), name="colors"),
            path("second-factor/", never_cache(self.second_factor), name="second_factor"),
            # Before Django's own, which nobody reaches without the second factor.
            path("logout/", never_cache(self.logout), name="logout"),
        ]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """The colours come as a style sheet of their own."""
        return super().each_context(request) | {"colors": None}

    def colors(self, request: HttpRequest) -> HttpResponse:
        """The theme's colours. Open to all: the login is dressed, too."""
        theme = super().each_context(request)
        return TemplateResponse(request, "office/door/colors.css", theme, content_type="text/css")

    def has_permission(self, request: HttpRequest) -> bool:
        if not super().has_permission(request):
            return False
        return not settings.REQUIRE_SECOND_FACTOR or second_factor.is_verified(request.user)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Where a session has ended when a form was sent, what was typed is carried through the login."""
        guarded = super().admin_view(view, cacheable)

        @wraps(guarded)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if request.method == "POST" and not request.user.is_authenticated and keeps_typed(view):
                return self._log_in_again(request)
            return guarded(request, *args, **kwargs)

        return inner

    def _log_in_again(self, request: HttpRequest) -> HttpResponse:
        """The login, with what was typed in its form: nothing is stored for somebody who is not logged in."""
        from office.decisions import drafts  # noqa: PLC0415 - its package registers pages at this site

        context = self.each_context(request) | {
            "title": "Log in",
            "app_path": reverse("admin:login"),
            "next": request.get_full_path(),
            "form": self.login_form(request),
            "typed": drafts.to_carry(request),
            "had_ended": True,
        }
        request.current_app = self.name
        return TemplateResponse(request, self.login_template, context)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Who is in by password and has no second factor yet is led to where it is set up."""
        if request.method == "GET" and self._must_set_up(request):
            return redirect(SECOND_FACTOR)
        typed = request.POST.get("typed", "")
        answer = super().login(request, {"typed": typed} | (extra_context or {}))
        if not (request.user.is_authenticated and isinstance(answer, HttpResponseRedirect)):
            return answer
        asked_for = urlsplit(answer.url).path
        if typed:
            from office.decisions import drafts  # noqa: PLC0415 - as above

            return redirect(drafts.carried(request, asked_for, typed))
        return answer if _is_a_page_of_staff(asked_for) else redirect("admin:index")

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Where members of staff change their own password."""
        from office.door.own_password import OwnPasswordView  # noqa: PLC0415 - registers pages at this site

        request.current_app = self.name
        view = OwnPasswordView.as_view(
            success_url=reverse("admin:password_change_done"),
            extra_context=self.each_context(request) | (extra_context or {}),
        )
        return view(request)

    def second_factor(self, request: HttpRequest) -> HttpResponse:
        """Where members of staff set up their authenticator app."""
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
                messages.success(request, "From now on the login asks for a code from your app.")
                return redirect("admin:index")
            form.add_error("code", "The code is not right. Wait for the app's next one, and type that.")
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
    """Whether a login may lead there: elsewhere is a 404, an API or, at the log-out, the way out."""
    try:
        found = resolve(address)
    except Resolver404:
        return False
    below = address.startswith(reverse("admin:index"))
    return below and found.url_name is not None and found.view_name != "admin:logout"
