"""Who may come in: Django's users and groups in unfold's dress. And what stays outside."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group, User
from django_q.models import Failure, OrmQ, Schedule, Success

from payments.admin import theme
from payments.domain.cards import contains_card_number

if TYPE_CHECKING:
    Form = forms.ModelForm[Any]
else:
    Form = forms.ModelForm

admin.site.unregister([User, Group])
# A schedule's form takes the name of any function to run: whoever may save one, may run anything.
admin.site.unregister(
    [model for model in (Schedule, Success, Failure, OrmQ) if admin.site.is_registered(model)]
)


class KeepsNoCardNumber(Form):
    """A form that saves none. Passwords may look as they like: they are hashed."""

    def clean(self) -> dict[str, Any] | None:
        for name, value in list(self.cleaned_data.items()):
            if "password" not in name and isinstance(value, str) and contains_card_number(value):
                self.add_error(name, "This looks like a card number, which FicPay does not keep.")
        return super().clean()


class UserChangeForm(KeepsNoCardNumber, theme.UserChangeForm):  # type: ignore[type-arg]
    pass


class UserCreationForm(KeepsNoCardNumber, theme.UserCreationForm):  # type: ignore[type-arg]
    pass


@admin.register(User)
class UserAdmin(BaseUserAdmin, theme.ModelAdmin[User]):  # type: ignore[type-arg]  # not generic at run time
    form: Any = UserChangeForm
    add_form: Any = UserCreationForm
    change_password_form: Any = theme.AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(BaseGroupAdmin, theme.ModelAdmin[Group]):
    form: Any = KeepsNoCardNumber
