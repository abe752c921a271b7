"""The groups of staff and what each may do. docs/operations.md describes them."""

from enum import StrEnum
from typing import Any

from django.contrib.auth.models import Group, Permission


class Role(StrEnum):
    """A group's name."""

    SUPPORT = "Support"  # views, resolves, instructs on behalf of the merchant
    SUPPORT_LEAD = "Support lead"  # as support, and approves proposals of others
    FINANCE = "Finance"  # reads and exports
    AUDITOR = "Auditor"  # reads everything, changes nothing
    OPERATIONS = "Operations"  # merchants, routes and API keys; no payments


_LOOK = (
    *("view_payment", "view_operation", "view_attempt", "view_event", "view_discrepancy"),
    "view_resolution",
)
_SUPPORT = (*_LOOK, "view_assignment", "resolve_operation", "instruct_payment")
# Permissions of `payments`.
MAY: dict[Role, tuple[str, ...]] = {
    Role.SUPPORT: _SUPPORT,
    Role.SUPPORT_LEAD: (*_SUPPORT, "approve_resolution", "view_staff_log"),
    Role.FINANCE: (*_LOOK, "view_merchant", "export_payments"),
    Role.AUDITOR: (
        *(*_LOOK, "view_assignment", "view_merchant", "view_apikey", "view_staff_log"),
        "view_schedules",
    ),
    Role.OPERATIONS: (
        *("view_merchant", "view_apikey", "disable_apikey", "manage_routes"),
        *("view_schedules", "run_schedules"),
    ),
}


def make_groups(**_signal: Any) -> None:
    """Create missing groups. Existing groups keep a superuser's changes."""
    for role, codenames in MAY.items():
        group, is_new = Group.objects.get_or_create(name=role.value)
        if is_new:
            group.permissions.set(
                Permission.objects.filter(content_type__app_label="payments", codename__in=codenames)
            )
