"""The pages of users and groups, for superusers only. Unregisters what must not be in the back office."""

from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_q.models import Failure, OrmQ, Schedule, Success

from office.door import account_decisions, changes
from office.door.forms_of_staff import GroupForm, PasswordForm, UserChangeForm, UserCreationForm
from office.door.lockout import locked_until
from office.door.second_factor import device_of
from office.log.actors import staff_of
from office.log.staff import log_action
from office.pages import theme
from office.pages.read_only import PagedList
from office.pages.words import utc
from payments.models import Event

admin.site.unregister([User, Group])
# A schedule's form takes the name of any function: a user who can save one can run any code. A user who can
# read the secret of an authenticator app can make its codes.
admin.site.unregister(
    [model for model in (Schedule, Success, Failure, OrmQ, TOTPDevice) if admin.site.is_registered(model)]
)
# Replaces Django's last fieldset, which shows times in UTC without saying so.
_TIMES: tuple[str, Any] = ("Login", {"fields": ("signed_in", "joined", "second_factor", "locked")})
_WHY: tuple[str, Any] = ("For the log", {"fields": ("reason",)})


class ForSuperusers:
    """Superusers only. Anybody who can change users can become a superuser, so no permission is enough."""

    instead_of_deleting: str
    opts: Any

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[PagedList]:
        return PagedList

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Deletes nothing, and says what to do instead."""
        if not self.has_module_permission(request):
            raise PermissionDenied
        messages.warning(request, self.instead_of_deleting)
        return HttpResponseRedirect(reverse(f"admin:auth_{self.opts.model_name}_change", args=[object_id]))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's history of edits is not used: the staff log has them."""
        raise Http404


@dataclass(frozen=True)
class Line:
    """A line for the staff log."""

    event: Event.Type
    evidence: changes.Facts


class Logged:
    """Logs changes in the append-only staff log, in their own transaction, instead of Django's admin log.

    Django calls `save_model`, then, when everything is saved, `construct_change_message` with the form, and
    then `log_addition` or `log_change` with what that returned.
    """

    created: Event.Type
    changed: Event.Type

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        form.before = changes.facts_of(obj) if change else None
        super().save_model(request, obj, form, change)  # type: ignore[misc]  # a ModelAdmin's

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        reason = {"reason": form.cleaned_data["reason"]}
        if isinstance(form, PasswordForm):
            return Line(Event.Type.USER_PASSWORD_CHANGED, reason)
        after = changes.facts_of(form.instance)
        if add:
            given = {name: {"to": after[name]} for name in ("groups", "permissions") if after.get(name)}
            return Line(self.created, reason | ({"changed": given} if given else {}))
        changed = changes.changes(form.before, after)
        return Line(self.changed, reason | {"changed": changed}) if changed else None

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        log_action(staff_of(request), message.event, **changes.named(obj), **message.evidence)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Logs nothing if the form was saved without changes."""
        if message is not None:
            log_action(staff_of(request), message.event, **changes.named(obj), **message.evidence)


@admin.register(User)
class UserAdmin(Logged, ForSuperusers, BaseUserAdmin, theme.ModelAdmin[User]):  # type: ignore[type-arg]  # not generic at run time
    form: Any = UserChangeForm
    add_form: Any = UserCreationForm
    change_password_form: Any = PasswordForm
    change_user_password_template = "office/door/set_password.html"  # noqa: S105 - a file's name
    fieldsets: Any = (*BaseUserAdmin.fieldsets[:-1], _TIMES, _WHY)  # type: ignore[misc, index]
    add_fieldsets: Any = (
        *BaseUserAdmin.add_fieldsets,
        ("Permissions", {"fields": ("groups",)}),
        _WHY,
    )
    readonly_fields = ("signed_in", "second_factor", "locked", "joined")
    list_display = ("username", "named", "in_groups", "may_log_in", "signed_in", "second_factor", "locked")
    list_filter = ("is_active", "is_superuser", "groups")
    actions = None
    actions_detail = ("reset_second_factor", "unlock")
    created, changed = Event.Type.USER_CREATED, Event.Type.USER_CHANGED
    instead_of_deleting = (
        "Users cannot be deleted, because the log refers to them. To keep a user out, uncheck “Active”."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        users: QuerySet[User] = super().get_queryset(request)
        return users.prefetch_related("groups")

    @admin.display(description="Name")
    def named(self, user: User) -> str:
        return user.get_full_name()

    @admin.display(description="Groups")
    def in_groups(self, user: User) -> str:
        names = ["superuser"] if user.is_superuser else []
        return ", ".join([*names, *sorted(group.name for group in user.groups.all())]) or "none"

    @admin.display(description="Can log in")
    def may_log_in(self, user: User) -> str:
        if not user.is_active:
            return "no: not active"
        return "yes" if user.is_staff else "no: no staff status"

    @admin.display(description="Second factor")
    def second_factor(self, user: User) -> str:
        return "set up" if device_of(user) else "none"

    @admin.display(description="Locked")
    def locked(self, user: User) -> str:
        until = locked_until(user)
        return format_html("until {}", utc(until)) if until else "no"

    @admin.display(description="Last login")
    def signed_in(self, user: User) -> str:
        return utc(user.last_login) if user.last_login else "never"

    @admin.display(description="Date joined")
    def joined(self, user: User) -> str:
        return utc(user.date_joined)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """In one transaction with its log line."""
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)

    @theme.action(
        description="Reset the second factor…", url_path="reset-second-factor", permissions=["change"]
    )
    def reset_second_factor(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return account_decisions.reset_second_factor(request, self._found(request, object_id))

    @theme.action(description="Unlock the login…", url_path="unlock", permissions=["change"])
    def unlock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return account_decisions.unlock_login(request, self._found(request, object_id))

    def _found(self, request: HttpRequest, object_id: str) -> User:
        user: User | None = self.get_object(request, object_id)
        if user is None:
            raise Http404
        return user

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """The reset button only for users with a second factor, the unlock button only for locked users."""
        user = self.get_object(request, object_id)
        needless = set()
        if user is None or device_of(user) is None:
            needless.add("reset_second_factor")
        if user is None or locked_until(user) is None:
            needless.add("unlock")
        offered = super().get_actions_detail(request, object_id)  # type: ignore[misc]  # unfold's
        return [one for one in offered if not any(one.action_name.endswith(name) for name in needless)]


@admin.register(Group)
class GroupAdmin(Logged, ForSuperusers, BaseGroupAdmin, theme.ModelAdmin[Group]):
    form: Any = GroupForm
    fieldsets = ((None, {"fields": ("name", "permissions")}), _WHY)
    actions = None
    created, changed = Event.Type.GROUP_CREATED, Event.Type.GROUP_CHANGED
    instead_of_deleting = (
        "Groups cannot be deleted, because the log refers to them. To retire a group, remove its permissions "
        "or its users."
    )
