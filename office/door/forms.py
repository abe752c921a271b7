"""The forms at the door."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest
from django_otp.forms import OTPAuthenticationFormMixin

from office.door import second_factor
from payments.domain.cards import people_wrote_card_number

if TYPE_CHECKING:
    from django.contrib.admin.forms import AdminAuthenticationForm as AuthenticationForm
else:
    from unfold.forms import AuthenticationForm

_NOT_STAFF = (
    "Username and password are right, but {user} has been given nothing to do in the back office yet. Ask a "
    "superuser for a group."
)
_NOT_ACTIVE = (
    "Username and password are right, but {user} is not active any more. Ask a superuser if that is wrong."
)
_ATTRIBUTES = {"autocomplete": "one-time-code", "inputmode": "numeric"}


class CodeField(forms.CharField):
    """A code from an authenticator app, which people type with a blank in its middle."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=16, widget=forms.TextInput(attrs=dict(_ATTRIBUTES)), **kwargs)

    def clean(self, value: Any) -> str:
        return str(super().clean(value)).replace(" ", "")


class LoginForm(OTPAuthenticationFormMixin, AuthenticationForm):  # type: ignore[misc]  # untyped
    """Username, password, and the code of those who have a second factor."""

    otp_token = CodeField(
        required=False, label="Code", help_text="From your authenticator app, if you have set one up."
    )
    # One for all, so that nobody learns which of the three was right.
    error_messages = AuthenticationForm.error_messages | {
        "invalid_login": "The username, the password or the code is wrong. Type them again (upper and lower "
        "case matter); if you have set up an authenticator app, with the code that it shows next.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["otp_token"].widget.attrs["class"] = self.fields["username"].widget.attrs["class"]

    def confirm_login_allowed(self, user: Any) -> None:
        """Whoever is right and may not come in is told why, once the code was right, too (`clean`)."""

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        if people_wrote_card_number(username):
            raise forms.ValidationError("This looks like a card number, which FicPay does not keep.")
        return username

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        user = self.get_user()
        device = second_factor.device_of(user) if user else None
        if device is not None:
            self.cleaned_data["otp_device"] = device.persistent_id
            try:
                self.clean_otp(user)
            except forms.ValidationError:  # counts like a wrong password, a missing code too
                user_login_failed.send(
                    sender=type(self),
                    credentials={"username": user.get_username()},
                    request=self.request,
                )
                raise self.get_invalid_login_error() from None
        if user is not None and not user.is_staff:
            raise forms.ValidationError(_NOT_STAFF.format(user=user.get_username()))
        return cleaned

    def get_invalid_login_error(self) -> forms.ValidationError:
        """Django asks nobody about the password of an account that is not active."""
        name, password = (self.cleaned_data.get(one, "") for one in ("username", "password"))
        user = get_user_model().objects.filter(username=name, is_active=False).first()
        if user is not None and user.check_password(password) and second_factor.device_of(user) is None:
            return forms.ValidationError(_NOT_ACTIVE.format(user=name))
        error: forms.ValidationError = super().get_invalid_login_error()
        return error

    def _update_form(self, user: Any) -> None:
        """The mixin would send the password back with the page, for convenience."""


NOT_YOURS = "This is not your password, or it was wrong too often: then wait for a quarter of an hour."


def is_own_password(request: HttpRequest, password: str) -> bool:
    """As at the login: wrong ones count, and after too many none is right."""
    name = request.user.get_username()
    return authenticate(request, username=name, password=password) is not None


class SetUpForm(forms.Form):
    """The first code of a new device, and the password: an open session is not yet its owner's."""

    code = CodeField(label="Code")
    password = forms.CharField(
        strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request = request

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not is_own_password(self._request, password):
            raise forms.ValidationError(NOT_YOURS)
        return password
