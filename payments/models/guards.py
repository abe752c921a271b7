"""The meaning of database errors, and checks made from enums.

The rules that the database enforces are the models' constraints, `migrations/guards/` and
`migrations/ledger/`.
"""

from collections.abc import Iterable
from enum import StrEnum

from django.db import IntegrityError, InterfaceError, InternalError, OperationalError
from django.db.models import Q

_READ_ONLY_TRANSACTION = "25006"
_QUERY_CANCELED = "57014"
_LOCK_NOT_AVAILABLE, _DEADLOCK_DETECTED = "55P03", "40P01"


def violated_constraint(error: IntegrityError) -> str | None:
    """The name of the violated constraint."""
    name: str | None = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
    return name


def database_is_away(error: BaseException) -> bool:
    """Whether the database cannot be reached, or is read-only during a failover."""
    if isinstance(error, InternalError):
        return _sqlstate(error) == _READ_ONLY_TRANSACTION
    return isinstance(error, OperationalError | InterfaceError) and not waited_in_vain(error)


def waited_in_vain(error: BaseException) -> bool:
    """Whether the database works but gave up one statement: a row was locked, or it took too long.

    Other rows are not affected.
    """
    return is_locked(error) or (isinstance(error, OperationalError) and ran_out_of_time(error))


def is_locked(error: BaseException) -> bool:
    """Whether a row that this transaction needs is locked. This transaction is rolled back."""
    states = (_LOCK_NOT_AVAILABLE, _DEADLOCK_DETECTED)
    return isinstance(error, OperationalError) and _sqlstate(error) in states


def ran_out_of_time(error: OperationalError) -> bool:
    """Whether the database gave up a statement that took too long."""
    return _sqlstate(error) == _QUERY_CANCELED


def _sqlstate(error: BaseException) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)


def choices(values: Iterable[StrEnum]) -> list[tuple[str, str]]:
    """A StrEnum as a Django field's `choices`."""
    return [(value.value, value.value) for value in values]


def one_of(field: str, values: Iterable[StrEnum]) -> Q:
    """A check that the column holds one of the enum's values."""
    return Q(**{f"{field}__in": [value.value for value in values]})
