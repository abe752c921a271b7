"""The groups of staff and what each may do. docs/operations.md describes them."""

from enum import StrEnum

from django.contrib.auth.models import Group, Permission
from django.db import connections


class Role(StrEnum):
    """A group's name."""

    SUPPORT = "Support"  # views, resolves, instructs on behalf of the merchant
    SUPPORT_LEAD = "Support lead"  # as support, and approves proposals of others
    FINANCE = "Finance"  # reads and exports; imports statements and looks after differences
    FINANCE_LEAD = "Finance lead"  # as finance, and changes fees and corrects settlements
    AUDITOR = "Auditor"  # reads everything, changes nothing
    OPERATIONS = "Operations"  # merchants, routes, API keys and limits; no payments


_LOOK = (
    *("view_payment", "view_operation", "view_attempt", "view_event", "view_discrepancy"),
    *("view_resolution", "view_reconciliation"),
)
_SUPPORT = (*_LOOK, "view_assignment", "resolve_operation", "instruct_payment")
_FINANCE = (*_LOOK, "view_merchant", "export_payments", "import_statement", "resolve_difference")
_APPS = ("payments", "reconciliation")
# Permissions of these applications.
MAY: dict[Role, tuple[str, ...]] = {
    Role.SUPPORT: _SUPPORT,
    Role.SUPPORT_LEAD: (*_SUPPORT, "approve_resolution", "view_staff_log", "resolve_difference"),
    Role.FINANCE: _FINANCE,
    Role.FINANCE_LEAD: (*_FINANCE, "manage_fees", "correct_settlement", "view_staff_log"),
    Role.AUDITOR: (
        *(*_LOOK, "view_assignment", "view_merchant", "view_apikey", "view_staff_log"),
        "view_schedules",
    ),
    Role.OPERATIONS: (
        *("view_merchant", "view_apikey", "issue_apikey", "disable_apikey", "manage_routes"),
        "manage_limits",
        *("view_schedules", "run_schedules"),
    ),
}


def known_permissions(using: str) -> frozenset[str]:
    """The permissions that the database has; none before its first migration."""
    if Permission._meta.db_table not in connections[using].introspection.table_names():
        return frozenset()
    found = Permission.objects.using(using).filter(content_type__app_label__in=_APPS)
    return frozenset(found.values_list("codename", flat=True))


def make_groups(*, known: frozenset[str] | None = None) -> None:
    """Create missing groups. Existing groups keep a superuser's changes.

    `known` are the permissions from before a migration: existing groups get those of theirs that are new.
    """
    for role, codenames in MAY.items():
        group, is_new = Group.objects.get_or_create(name=role.value)
        given = (
            codenames if is_new else [name for name in codenames if known is not None and name not in known]
        )
        group.permissions.add(
            *Permission.objects.filter(content_type__app_label__in=_APPS, codename__in=given)
        )
