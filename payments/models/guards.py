"""Triggers that several tables share: what the database refuses whoever asks, raw SQL included."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import pgtrigger
from django.db import IntegrityError, InterfaceError, InternalError, OperationalError
from django.db.models import Q

_READ_ONLY_TRANSACTION = "25006"
_QUERY_CANCELED = "57014"


def violated_constraint(error: IntegrityError) -> str | None:
    """The name of the constraint that refused a row."""
    name: str | None = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
    return name


def database_is_away(error: BaseException) -> bool:
    """Whether the database cannot be reached, or is read-only for the moment of a failover."""
    if isinstance(error, InternalError):
        return getattr(error.__cause__, "sqlstate", None) == _READ_ONLY_TRANSACTION
    return isinstance(error, OperationalError | InterfaceError)


def ran_out_of_time(error: OperationalError) -> bool:
    """Whether the database gave a statement up because it took longer than it may."""
    return getattr(error.__cause__, "sqlstate", None) == _QUERY_CANCELED


def choices(values: Iterable[StrEnum]) -> list[tuple[str, str]]:
    """A StrEnum as a Django field takes it."""
    return [(value.value, value.value) for value in values]


def one_of(field: str, values: Iterable[StrEnum]) -> Q:
    """A check that the column holds one of the enum's values."""
    return Q(**{f"{field}__in": [value.value for value in values]})


def legal_transitions(edges: Iterable[tuple[StrEnum, StrEnum]]) -> pgtrigger.FSM:
    """Refuse every change of `state` that is not one of the edges."""
    return pgtrigger.FSM(name="legal_transitions", field="state", transitions=list(edges))


def starts_as(state: StrEnum) -> pgtrigger.Protect:
    """Refuse to insert a row in any other state: a history cannot begin in its middle."""
    return pgtrigger.Protect(
        name="starts_as", operation=pgtrigger.Insert, condition=~pgtrigger.Q(new__state=state.value)
    )


def never_deleted() -> list[Any]:
    """Refuse DELETE and TRUNCATE."""
    return [
        pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete),
        pgtrigger.Trigger(
            name="never_truncated",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
            func="RAISE EXCEPTION 'pgtrigger: Cannot truncate rows from % table', TG_TABLE_NAME;",
        ),
    ]


def append_only() -> list[Any]:
    """Refuse everything but INSERT."""
    return [pgtrigger.Protect(name="never_changed", operation=pgtrigger.Update), *never_deleted()]


def written_once(name: str, *, texts: Iterable[str] = (), times: Iterable[str] = ()) -> pgtrigger.Protect:
    """Refuse to change these columns once they hold something."""
    changed = Q()
    for field in texts:
        changed |= ~pgtrigger.Q(**{f"old__{field}": ""}) & _differs(field)
    for field in times:
        changed |= pgtrigger.Q(**{f"old__{field}__isnull": False}) & _differs(field)
    return pgtrigger.Protect(name=name, operation=pgtrigger.Update, condition=changed)


def fixed_in(name: str, states: Iterable[StrEnum], fields: Iterable[str]) -> pgtrigger.Protect:
    """Refuse to change these columns once the row has one of these states."""
    changed = Q()
    for field in fields:
        changed |= _differs(field)
    condition = changed & pgtrigger.Q(old__state__in=[state.value for state in states])
    return pgtrigger.Protect(name=name, operation=pgtrigger.Update, condition=condition)


def _differs(field: str) -> pgtrigger.Q:
    return pgtrigger.Q(**{f"old__{field}__df": pgtrigger.F(f"new__{field}")})
