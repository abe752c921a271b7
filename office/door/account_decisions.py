"""Pages on which a superuser unlocks a user's login or resets their second factor."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from office.decisions.evidence import CannotResolve
from office.decisions.forms import ReasonForm
from office.decisions.page import Decision, Preview, decision_page
from office.door import second_factor
from office.door.lockout import locked_until, unlock
from office.log.actors import staff_of
from reconciliation.services.explain import moment


def unlock_login(request: HttpRequest, user: User) -> HttpResponse:
    """For a user whose login failed too often."""
    until = locked_until(user)

    def decide(given: dict[str, Any]) -> str:
        if unlock(staff_of(request), user, reason=given["reason"]):
            return f"{user} can log in again."
        raise CannotResolve(f"The login of {user} is not locked.")

    return _about(
        request,
        user,
        ("Locked", f"until {moment(until)}" if until else "no"),
        (
            "Check first",
            "Ask whether the failed logins were theirs. Somebody may be guessing their password.",
        ),
        title=f"Unlock the login of {user}",
        preview=lambda _: Preview([("Login", f"{user} can log in again at once, with five new tries.")]),
        decide=decide,
    )


def reset_second_factor(request: HttpRequest, user: User) -> HttpResponse:
    """For a user who lost their phone."""
    device = second_factor.device_of(user)
    then = f"The next login of {user} needs only the password"
    required = " and leads to the setup of a new one" if settings.REQUIRE_SECOND_FACTOR else ""

    def reset(given: dict[str, Any]) -> str:
        is_done = second_factor.reset(staff_of(request), user, reason=given["reason"])
        return f"{then}." if is_done else f"{user} has no second factor."

    return _about(
        request,
        user,
        ("Second factor", f"{device.name}, set up" if device else "none"),
        (
            "Check first",
            "Make sure that the request comes from them: call them on a number that you already have.",
        ),
        title=f"Reset the second factor of {user}",
        preview=lambda _: Preview(
            [("Login", f"{then}{required}."), ("Old phone", "Its codes stop working at once.")]
        ),
        decide=reset,
    )


def _about(request: HttpRequest, user: User, *facts: tuple[str, str], **page: Any) -> HttpResponse:
    known = ("User", " ".join(filter(None, (user.get_username(), user.get_full_name()))))
    back = reverse("admin:auth_user_change", args=[user.pk])
    return decision_page(request, Decision(about=[known, *facts], form=ReasonForm, back=back, **page))
