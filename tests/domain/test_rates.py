"""Windows, limits and headers of the rate limits, and the scopes of API keys."""

import pytest

from payments.domain.rates import Budget, Limits, Standing, window_at
from payments.domain.scopes import ALL_SCOPES, Scope, in_order, parse_scopes


class TestWindows:
    def test_start_with_each_full_minute(self) -> None:
        for now_ms, number, ends_in in [
            (0, 0, 60),
            (1, 0, 60),
            (999, 0, 60),
            (1000, 0, 59),
            (59_001, 0, 1),
            (59_999, 0, 1),
            (60_000, 1, 60),
            (1_795_000_123_456, 29_916_668, 17),
        ]:
            assert window_at(now_ms) == (number, ends_in), now_ms

    def test_whoever_waits_as_told_is_in_the_next_one(self) -> None:
        for now_ms in range(0, 60_000, 77):
            number, ends_in = window_at(now_ms)
            assert window_at(now_ms + ends_in * 1000).number == number + 1


class TestLimits:
    def test_replays_have_as_many_as_reads(self) -> None:
        limits = Limits(writes=100, reads=1000)
        assert [limits.of(budget) for budget in Budget] == [100, 1000, 1000]


class TestHeaders:
    def test_are_those_of_the_draft(self) -> None:
        standing = Standing(Budget.WRITES, limit=100, remaining=42, ends_in=17)
        assert standing.policy_header == '"writes";q=100;w=60'
        assert standing.header == '"writes";r=42;t=17'


class TestScopes:
    def test_are_parsed_from_the_text_that_the_database_gives(self) -> None:
        assert parse_scopes("payments:read keys") == {Scope.PAYMENTS_READ, Scope.KEYS}
        with pytest.raises(ValueError, match="payments:delete"):
            parse_scopes("payments:delete")

    def test_have_one_order(self) -> None:
        assert in_order(["keys", "payments:read", "keys"]) == ["payments:read", "keys"]
        assert in_order(ALL_SCOPES) == [scope.value for scope in Scope]
