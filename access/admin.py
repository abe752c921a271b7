"""Users and groups in unfold's dress, for superusers alone. And what stays outside the back office."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_q.models import Failure, OrmQ, Schedule, Success

from access import second_factor
from payments.admin import theme
from payments.domain.cards import contains_card_number

if TYPE_CHECKING:
    Form = forms.ModelForm[Any]
else:
    Form = forms.ModelForm

admin.site.unregister([User, Group])
# A schedule's form takes the name of any function to run: whoever may save one, may run anything. And
# whoever can read the secret of another's authenticator app, has its codes.
admin.site.unregister(
    [model for model in (Schedule, Success, Failure, OrmQ, TOTPDevice) if admin.site.is_registered(model)]
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


class ForSuperusers:
    """Whoever may change users can make themselves anything: no group's permission is enough for it."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)


@admin.register(User)
class UserAdmin(ForSuperusers, BaseUserAdmin, theme.ModelAdmin[User]):  # type: ignore[type-arg]  # not generic at run time
    form: Any = UserChangeForm
    add_form: Any = UserCreationForm
    change_password_form: Any = theme.AdminPasswordChangeForm
    actions = ("reset_second_factor",)

    @admin.action(description="Reset the second factor (make sure that it is they who ask)")
    def reset_second_factor(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """For those whose phone is lost."""
        for user in users:
            if second_factor.reset(user):
                self.log_change(request, user, "Second factor reset.")
                messages.success(request, f"The next login of {user} asks for the password alone.")
            else:
                messages.info(request, f"{user} has no second factor.")


@admin.register(Group)
class GroupAdmin(ForSuperusers, BaseGroupAdmin, theme.ModelAdmin[Group]):
    form: Any = KeepsNoCardNumber
