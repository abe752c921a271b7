"""What a new release's permissions do to groups that are there."""

import pytest
from django.contrib.auth.models import Group, Permission

from office.door.roles import MAY, Role, known_permissions, make_groups

pytestmark = pytest.mark.django_db


def names(role: Role) -> set[str]:
    return set(Group.objects.get(name=role).permissions.values_list("codename", flat=True))


def test_groups_get_what_is_new_and_keep_what_a_superuser_has_changed() -> None:
    make_groups()
    support = Group.objects.get(name=Role.SUPPORT)
    taken = Permission.objects.filter(codename__in=["instruct_payment", "view_reconciliation"])
    support.permissions.remove(*taken)
    make_groups()
    assert names(Role.SUPPORT) == set(MAY[Role.SUPPORT]) - {"instruct_payment", "view_reconciliation"}
    make_groups(known=known_permissions("default") - {"view_reconciliation"})
    assert names(Role.SUPPORT) == set(MAY[Role.SUPPORT]) - {"instruct_payment"}
