"""The page on which members of staff change their own password."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from office.door import changes
from office.door.forms import NOT_YOURS, is_own_password
from office.log.actors import staff_of
from office.log.staff import log_action
from office.pages import theme
from payments.models import Event

if TYPE_CHECKING:
    from django.contrib.auth.forms import PasswordChangeForm


class OwnPasswordForm(theme.AdminOwnPasswordChangeForm):
    """Changes one's own password. Requires the old one."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request = request

    def clean_old_password(self) -> str:
        password: str = self.cleaned_data["old_password"]
        if not is_own_password(self._request, password):
            raise forms.ValidationError(NOT_YOURS)
        return password


class OwnPasswordView(PasswordChangeView):
    """Django's view, with a log line."""

    form_class = OwnPasswordForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: "PasswordChangeForm") -> HttpResponse:
        user = form.user
        assert isinstance(user, User)  # noqa: S101 - the admin site lets nobody else in
        with transaction.atomic():
            response = super().form_valid(form)
            log_action(staff_of(self.request), Event.Type.USER_PASSWORD_CHANGED, **changes.named(user))
        return response
