"""Where members of staff change their own password."""

from typing import TYPE_CHECKING

from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpResponse

from access import changes
from payments.admin import theme
from payments.admin.actors import staff_of
from payments.models import Event
from payments.services.staff import log_action

if TYPE_CHECKING:
    from django.contrib.auth.forms import PasswordChangeForm


class OwnPasswordView(PasswordChangeView):
    """Django's, with a line in the log."""

    form_class = theme.AdminOwnPasswordChangeForm

    def form_valid(self, form: "PasswordChangeForm") -> HttpResponse:
        user = form.user
        assert isinstance(user, User)  # noqa: S101 - the admin site lets nobody else in
        with transaction.atomic():
            response = super().form_valid(form)
            log_action(staff_of(self.request), Event.Type.USER_PASSWORD_CHANGED, **changes.named(user))
        return response
