"""The forms about users and groups. Each asks why, for the log."""

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
    """A reason, and no card number anywhere."""

    reason = forms.CharField(
        label="Why",
        max_length=500,
        widget=theme.Textarea(attrs={"rows": 2}),
        help_text="Who asked for it, and what for. It stands in the log, where nobody can change it.",
    )


class StaffFollows(forms.Form):
    """Whoever is given something to do in the back office may log in to it: staff status follows."""

    instance: User

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        given = self.cleaned_data
        has_something = bool(
            given.get("groups") or given.get("user_permissions") or given.get("is_superuser")
        )
        if has_something and not given.get("is_staff"):
            if "is_staff" in self.changed_data:  # taken away on purpose
                self.add_error(
                    "is_staff",
                    "They have groups or permissions, which need it. To keep them out, take “Active” away.",
                )
            self.cleaned_data["is_staff"] = self.instance.is_staff = True
        return cleaned


class UserChangeForm(StaffFollows, SaysWhy, theme.UserChangeForm):  # type: ignore[type-arg]
    pass


class UserCreationForm(StaffFollows, SaysWhy, theme.UserCreationForm):  # type: ignore[type-arg]
    pass


class PasswordForm(SaysWhy, theme.AdminPasswordChangeForm):  # type: ignore[type-arg]
    """A superuser sets somebody's password."""


class GroupForm(SaysWhy, Form):
    pass
