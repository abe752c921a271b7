"""The forms about users and groups. Each asks why, for the log."""

from typing import TYPE_CHECKING, Any

from django import forms

from payments.admin import theme
from payments.domain.cards import people_wrote_card_number

if TYPE_CHECKING:
    Form = forms.ModelForm[Any]
else:
    Form = forms.ModelForm


class SaysWhy(forms.Form):
    """A reason, and no card number anywhere. Passwords may look as they like: they are hashed."""

    reason = forms.CharField(
        label="Why",
        max_length=500,
        widget=theme.Textarea(attrs={"rows": 2}),
        help_text="Who asked for it, and what for. It stands in the log, where nobody can change it.",
    )

    def clean(self) -> dict[str, Any] | None:
        for name, value in list(self.cleaned_data.items()):
            if "password" not in name and isinstance(value, str) and people_wrote_card_number(value):
                self.add_error(name, "This looks like a card number, which FicPay does not keep.")
        return super().clean()


class UserChangeForm(SaysWhy, theme.UserChangeForm):  # type: ignore[type-arg]
    pass


class UserCreationForm(SaysWhy, theme.UserCreationForm):  # type: ignore[type-arg]
    pass


class PasswordForm(SaysWhy, theme.AdminPasswordChangeForm):  # type: ignore[type-arg]
    """A superuser sets somebody's password."""


class GroupForm(SaysWhy, Form):
    pass
