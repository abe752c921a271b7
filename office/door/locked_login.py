"""The page on which a superuser opens a login again that too many failures have locked."""

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from office.decisions.evidence import CannotResolve
from office.decisions.forms import ReasonForm
from office.decisions.page import Decision, DecisionPages, Preview
from office.door.lockout import locked_until, unlock
from office.log.actors import staff_of
from reconciliation.services.explain import moment


class Unlock(DecisionPages):
    """A decision as those about payments are. Who may, the page's address says."""

    def page(self, request: HttpRequest, user: User) -> HttpResponse:
        until = locked_until(user)

        def decide(given: dict[str, Any]) -> str:
            if unlock(staff_of(request), user, reason=given["reason"]):
                return f"{user} may log in again."
            raise CannotResolve(f"The login of {user} is not locked.")

        return self.page_of(
            request,
            Decision(
                title=f"Unlock the login of {user}",
                about=[
                    ("User", " ".join(filter(None, (user.get_username(), user.get_full_name())))),
                    ("Locked", f"until {moment(until)}" if until else "no"),
                    (
                        "First",
                        "Make sure that it was they who failed: somebody may be guessing.",
                    ),
                ],
                form=ReasonForm,
                preview=lambda _: Preview([("Login", f"{user} may try again at once, with five new tries.")]),
                decide=decide,
                back=reverse("admin:auth_user_change", args=[user.pk]),
            ),
        )
