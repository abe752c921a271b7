"""What the staff log records about users and groups: which one it is, and what has changed."""

from typing import Any

from django.contrib.auth.models import Group, User

Facts = dict[str, Any]
# Personal data: the log records that it changed, but not the values, because the log is kept forever.
_PRIVATE = frozenset({"first_name", "last_name", "email"})


def named(account: User | Group) -> Facts:
    """The account's name, and its id, because names may be reused."""
    if isinstance(account, User):
        return {"account": account.get_username(), "account_id": account.pk}
    return {"group": account.name, "group_id": account.pk}


def facts_of(account: User | Group) -> Facts:
    """The account's current values, with its row locked. No passwords or secrets."""
    if isinstance(account, User):
        user = User.objects.select_for_update().get(pk=account.pk)
        return {
            "username": user.username,
            **{name: getattr(user, name) for name in ("is_active", "is_staff", "is_superuser")},
            "groups": sorted(user.groups.values_list("name", flat=True)),
            "permissions": _permissions(user.user_permissions),
            **{name: getattr(user, name) for name in sorted(_PRIVATE)},
        }
    group = Group.objects.select_for_update().get(pk=account.pk)
    return {"name": group.name, "permissions": _permissions(group.permissions)}


def changes(before: Facts, after: Facts) -> Facts:
    """The fields that differ, with old and new values; of private fields, only the names."""
    different = [name for name, value in after.items() if value != before[name]]
    return {name: {} if name in _PRIVATE else {"from": before[name], "to": after[name]} for name in different}


def _permissions(given: Any) -> list[str]:
    pairs = given.values_list("content_type__app_label", "codename")
    return sorted(f"{app}.{codename}" for app, codename in pairs)
