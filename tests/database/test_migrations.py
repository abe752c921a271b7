"""A database of before the first release is told so instead of being half migrated."""

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder


@pytest.mark.parametrize("name", ["0001_initial", "0002_stored_answers"])
def test_a_database_of_before_the_first_release_is_refused(db: None, name: str) -> None:
    MigrationRecorder(connection).record_applied("payments", name)
    with pytest.raises(CommandError, match="`make reset` deletes it"):
        call_command("migrate", verbosity=0)
