"""The forms of users and groups. Each requires a reason for the log."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import User

from office.decisions.forms import NoCardNumbers
from office.pages import theme

if TYPE_CHECKING:
    Form = forms.ModelForm[Any]
else:
    Form = forms.ModelForm


class SaysWhy(NoCardNumbers):
    """A form with a reason that refuses card numbers."""

    reason = forms.CharField(
        label="Reason",
        max_length=500,
        widget=theme.Textarea(attrs={"rows": 2}),
        help_text="Who asked for the change, and why. Recorded in the log, which cannot be edited.",
    )


class StaffFollows(forms.Form):
    """Sets the staff status of a user who gets groups or permissions, so that they can log in."""

    instance: User

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        given = self.cleaned_data
        has_something = bool(
            given.get("groups") or given.get("user_permissions") or given.get("is_superuser")
        )
        if has_something and not given.get("is_staff"):
            if "is_staff" in self.changed_data:  # unchecked on purpose
                self.add_error(
                    "is_staff",
                    "Users with groups or permissions need staff status. To keep them out, uncheck “Active”.",
                )
            self.cleaned_data["is_staff"] = self.instance.is_staff = True
        return cleaned


class UserChangeForm(StaffFollows, SaysWhy, theme.UserChangeForm):  # type: ignore[type-arg]
    pass


class UserCreationForm(StaffFollows, SaysWhy, theme.UserCreationForm):  # type: ignore[type-arg]
    pass


class PasswordForm(SaysWhy, theme.AdminPasswordChangeForm):  # type: ignore[type-arg]
    """A superuser sets the password of a user."""


class GroupForm(SaysWhy, Form):
    pass
