"""Those who read the books, and those who look after them."""

import pytest
from django.contrib.auth.models import Group, User

from office.door.roles import Role, make_groups
from tests.office.pages.conftest import Staff


def member(name: str, role: Role) -> Staff:
    make_groups()
    user, _ = User.objects.get_or_create(username=name, defaults={"is_staff": True})
    user.groups.add(Group.objects.get(name=role))
    return Staff(user)


@pytest.fixture
def support(db: None) -> Staff:
    """May view."""
    return member("kim", Role.SUPPORT)


@pytest.fixture
def finance(db: None) -> Staff:
    """May import statements and look after differences."""
    return member("fin", Role.FINANCE)


@pytest.fixture
def lead(db: None) -> Staff:
    """May change fees and correct settlements, too."""
    return member("flo", Role.FINANCE_LEAD)
