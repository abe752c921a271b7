"""The page on which a superuser resets somebody's second factor."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from office.decisions.forms import ReasonForm
from office.decisions.page import Decision, DecisionPages, Preview
from office.door import second_factor
from office.log.actors import staff_of


class ResetSecondFactor(DecisionPages):
    """A decision as those about payments are. Who may, the page's address says."""

    def page(self, request: HttpRequest, user: User) -> HttpResponse:
        device = second_factor.device_of(user)

        def reset(given: dict[str, Any]) -> str:
            if second_factor.reset(staff_of(request), user, reason=given["reason"]):
                return f"The next login of {user} asks for the password alone."
            return f"{user} has no second factor."

        return self.page_of(
            request,
            Decision(
                title=f"Reset the second factor of {user}",
                about=[
                    ("User", " ".join(filter(None, (user.get_username(), user.get_full_name())))),
                    ("Second factor", f"{device.name}, set up" if device else "none"),
                    ("First", "Make sure that it is they who ask: call them, on a number you had before."),
                ],
                form=ReasonForm,
                preview=lambda _: Preview(
                    [
                        ("Login", f"The next login of {user} asks for the password alone{_and_then()}."),
                        ("Old phone", "Its codes are worthless from now on."),
                    ]
                ),
                decide=reset,
                back=reverse("admin:auth_user_change", args=[user.pk]),
            ),
        )


def _and_then() -> str:
    return ", and leads to setting up a new one" if settings.REQUIRE_SECOND_FACTOR else ""
