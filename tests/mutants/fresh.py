"""A pytest plugin: each run begins with empty tables, whatever a run before it was killed in the midst of."""

from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def _empty_tables_at_first(django_db_setup: None, django_db_blocker: Any) -> None:
    from django.db import connection  # noqa: PLC0415 - plugins are imported before Django is set up

    from tests.conftest import empty_tables  # noqa: PLC0415

    with django_db_blocker.unblock():
        empty_tables(None)  # type: ignore[arg-type]
        connection.close()
