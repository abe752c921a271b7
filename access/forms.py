"""The forms at the door."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest
from django_otp.forms import OTPAuthenticationFormMixin

from access import second_factor
from payments.domain.cards import people_wrote_card_number

if TYPE_CHECKING:
    from django.contrib.admin.forms import AdminAuthenticationForm as AuthenticationForm
else:
    from unfold.forms import AuthenticationForm

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
        "invalid_login": "That is not right. Type username and password again (upper and lower case matter) "
        "and, if you have set up an authenticator app, the code that it shows next: each is taken once.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["otp_token"].widget.attrs["class"] = self.fields["username"].widget.attrs["class"]

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
        return cleaned

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
