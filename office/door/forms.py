"""The forms of the login and of the second factor's setup."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest
from django_otp.forms import OTPAuthenticationFormMixin

from office.door import second_factor
from payments.domain.cards import contains_typed_card_number

if TYPE_CHECKING:
    from django.contrib.admin.forms import AdminAuthenticationForm as AuthenticationForm
else:
    from unfold.forms import AuthenticationForm

_NOT_STAFF = (
    "Username and password are correct, but {user} has no access to the back office yet. Ask a superuser to "
    "add you to a group."
)
_NOT_ACTIVE = (
    "Username and password are correct, but {user} is no longer active. Ask a superuser if that is a mistake."
)
_ATTRIBUTES = {"autocomplete": "one-time-code", "inputmode": "numeric"}


class CodeField(forms.CharField):
    """A code from an authenticator app. People may type it with a space in the middle."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=16, widget=forms.TextInput(attrs=dict(_ATTRIBUTES)), **kwargs)

    def clean(self, value: Any) -> str:
        return str(super().clean(value)).replace(" ", "")


class LoginForm(OTPAuthenticationFormMixin, AuthenticationForm):  # type: ignore[misc]  # untyped
    """Username and password, and the code of users with a second factor."""

    otp_token = CodeField(
        required=False, label="Code", help_text="From your authenticator app, if you have set one up."
    )
    # One message for all cases, so that nobody learns which of the three was right.
    error_messages = AuthenticationForm.error_messages | {
        "invalid_login": "The username, password or code is wrong. Try again; username and password are "
        "case-sensitive. If you use an authenticator app, wait for its next code.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["otp_token"].widget.attrs["class"] = self.fields["username"].widget.attrs["class"]

    def confirm_login_allowed(self, user: Any) -> None:
        """Does nothing: `clean` says why a correct login is refused, after the code was right, too."""

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        if contains_typed_card_number(username):
            raise forms.ValidationError("This looks like a card number. FicPay does not store card numbers.")
        return username

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        user = self.get_user()
        device = second_factor.device_of(user) if user else None
        if device is not None:
            self.cleaned_data["otp_device"] = device.persistent_id
            try:
                self.clean_otp(user)
            except forms.ValidationError:  # a wrong or missing code counts like a wrong password
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
        """Tells inactive users with the right password so; Django does not check their password."""
        name, password = (self.cleaned_data.get(one, "") for one in ("username", "password"))
        user = get_user_model().objects.filter(username=name, is_active=False).first()
        if user is not None and user.check_password(password) and second_factor.device_of(user) is None:
            return forms.ValidationError(_NOT_ACTIVE.format(user=name))
        error: forms.ValidationError = super().get_invalid_login_error()
        return error

    def _update_form(self, user: Any) -> None:
        """Does nothing: the mixin would send the password back in the page."""


NOT_YOURS = "Wrong password. After too many wrong tries, wait 15 minutes."


def is_own_password(request: HttpRequest, password: str) -> bool:
    """Check the user's own password. Wrong tries count and lock as they do at the login."""
    name = request.user.get_username()
    return authenticate(request, username=name, password=password) is not None


class SetUpForm(forms.Form):
    """The first code of a new device, and the password, in case somebody else uses an open session."""

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
