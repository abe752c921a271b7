"""What the log tells of users and groups: which one it is, and what has changed about it."""

from typing import Any

from django.contrib.auth.models import Group, User

Facts = dict[str, Any]
# Somebody's own: the log tells that they have changed, and does not keep them for ever.
_PRIVATE = frozenset({"first_name", "last_name", "email"})


def named(account: User | Group) -> Facts:
    """Which one: by its name, and by the id that stays when the name is given to another."""
    if isinstance(account, User):
        return {"account": account.get_username(), "account_id": account.pk}
    return {"group": account.name, "group_id": account.pk}


def facts_of(account: User | Group) -> Facts:
    """As the database has it now, locked until the transaction ends. No password, no secret."""
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
    """What is different, old and new value; of what is private, the name alone."""
    different = [name for name, value in after.items() if value != before[name]]
    return {name: {} if name in _PRIVATE else {"from": before[name], "to": after[name]} for name in different}


def _permissions(given: Any) -> list[str]:
    pairs = given.values_list("content_type__app_label", "codename")
    return sorted(f"{app}.{codename}" for app, codename in pairs)
