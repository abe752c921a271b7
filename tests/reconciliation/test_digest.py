"""A day's digest shows that its events were changed, though every chain was made anew."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from reconciliation.services.audit import found_by, violations
from reconciliation.services.digest import digest_of
from tests.support.api_client import ApiClient
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import chain_events
from tests.support.unguarded import unguarded


def printed(*arguments: str) -> str:
    out = io.StringIO()
    call_command("reconcile", "digest", *arguments, stdout=out)
    return out.getvalue()


class TestADaysDigest:
    def test_is_the_same_until_an_event_of_that_day_changes(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        live.captured()
        today = datetime.now(UTC).date()
        before = digest_of(today)
        assert (before.events, digest_of(today)) == (4, before)
        with unguarded(), connection.cursor() as cursor:
            cursor.execute("UPDATE payments_event SET actor = 'nobody' WHERE type = 'payment.created'")
            assert {one.rule for one in found_by(cursor)} == {"events_are_as_written"}
            chain_events(cursor)
        assert violations() == []
        assert digest_of(today) != before

    def test_of_a_day_without_events_is_that_of_nothing(self, transactional_db: None) -> None:
        empty = digest_of(datetime(2020, 2, 29, tzinfo=UTC).date())
        assert (empty.events, empty.sha256[:8]) == (0, "e3b0c442")

    def test_is_printed_for_yesterday_or_any_day(self, live: ApiClient, bank: SimulatedBank) -> None:
        live.authorized()
        today = datetime.now(UTC).date()
        assert printed().startswith(f"{today - timedelta(days=1)} (UTC): 0 events, SHA-256 ")
        assert json.loads(printed("--date", str(today), "--json"))["events"] == 2
        assert "The day is not over yet" in printed("--date", str(today))
        assert "not over" not in printed()
        with pytest.raises(CommandError, match="'yesterday' is not a date: YYYY-MM-DD"):
            printed("--date", "yesterday")
