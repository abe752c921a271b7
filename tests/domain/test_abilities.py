"""What a bank can do: the three banks of the design, and what contradicts itself."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from payments.domain.abilities import ALWAYS, Abilities, StatementFormat
from payments.domain.money import DENOMINATIONS
from payments.domain.states import OperationKind
from payments.domain.timing import Timing

AUTHORIZE, CAPTURE = OperationKind.AUTHORIZE, OperationKind.CAPTURE
VOID, REFUND = OperationKind.VOID, OperationKind.REFUND
FULL_AMOUNTS = Abilities(
    operations=frozenset({AUTHORIZE, CAPTURE, VOID, REFUND}),
    currencies=frozenset({"USD"}),
    captures_parts=False,
    refunds_parts=False,
    knows_keys_for=timedelta(hours=23),
    probes_without_card=True,
    looks_up=frozenset({AUTHORIZE, CAPTURE, REFUND}),
    reports_health=True,
    voids_expired_holds=True,
    statements=frozenset(StatementFormat),
    calls_in_flight=48,
    timing=Timing(),
)
PARTS = replace(FULL_AMOUNTS, captures_parts=True, refunds_parts=True, knows_keys_for=ALWAYS)
ONE_CALL = Abilities(
    operations=frozenset({AUTHORIZE}),
    currencies=frozenset({"USD", "GBP", "EUR"}),
    captures_parts=False,
    refunds_parts=False,
    knows_keys_for=None,
    probes_without_card=False,
    looks_up=frozenset(),
    reports_health=False,
    voids_expired_holds=False,
    statements=frozenset(),
    calls_in_flight=16,
    timing=Timing(),
)


class TestAbilities:
    def test_a_bank_can_do_what_it_says_and_a_release_is_a_void(self) -> None:
        assert all(FULL_AMOUNTS.can(kind) for kind in OperationKind)
        assert [kind for kind in OperationKind if ONE_CALL.can(kind)] == [AUTHORIZE]

    def test_a_key_is_known_as_long_as_the_bank_says(self) -> None:
        day, moment = timedelta(hours=23), timedelta(microseconds=1)
        assert FULL_AMOUNTS.knows_key(day - moment)
        assert not FULL_AMOUNTS.knows_key(day)
        assert PARTS.knows_key(timedelta(days=100 * 365))

    def test_a_bank_may_have_forgotten_a_key_an_hour_after_it_is_no_longer_sent(self) -> None:
        moment = timedelta(microseconds=1)
        assert not FULL_AMOUNTS.may_have_forgotten(timedelta(hours=24) - moment)
        assert FULL_AMOUNTS.may_have_forgotten(timedelta(hours=24))
        assert not PARTS.may_have_forgotten(timedelta(days=100 * 365))
        assert ONE_CALL.may_have_forgotten(timedelta(0))
        assert (FULL_AMOUNTS.knows_keys, PARTS.knows_keys, ONE_CALL.knows_keys) == (True, True, False)

    def test_a_bank_without_keys_knows_none_however_young(self) -> None:
        assert not ONE_CALL.knows_key(timedelta(0))
        assert not ONE_CALL.knows_key(timedelta(seconds=-1))

    @pytest.mark.parametrize("kind", [CAPTURE, REFUND])
    def test_parts_are_taken_only_where_the_bank_can(self, kind: OperationKind) -> None:
        for amount, full_only, in_parts in (
            (0, False, False),
            (-1, False, False),
            (1, False, True),
            (49999, False, True),
            (50000, True, True),
            (50001, False, False),
        ):
            assert FULL_AMOUNTS.takes(kind, amount, of_minor=50000) == full_only
            assert PARTS.takes(kind, amount, of_minor=50000) == in_parts
        assert not FULL_AMOUNTS.takes(kind, 0, of_minor=0)

    def test_a_hold_is_voided_whole_and_done_already_is_about_one_unless_refunds_come_in_parts(self) -> None:
        assert not PARTS.takes(VOID, 1, of_minor=2)
        assert PARTS.takes(VOID, 2, of_minor=2)
        assert FULL_AMOUNTS.takes(CAPTURE, 1, of_minor=1)
        assert [kind for kind in OperationKind if PARTS.takes_parts(kind)] == [CAPTURE, REFUND]
        assert {FULL_AMOUNTS.takes_parts(kind) for kind in OperationKind} == {False}
        assert all(FULL_AMOUNTS.does_once(kind) for kind in OperationKind)
        assert [kind for kind in OperationKind if not PARTS.does_once(kind)] == [REFUND]

    def test_captures_and_refunds_in_parts_are_two_abilities(self) -> None:
        captures = replace(FULL_AMOUNTS, captures_parts=True)
        assert captures.takes(CAPTURE, 1, of_minor=2)
        assert not captures.takes(REFUND, 1, of_minor=2)

    @pytest.mark.parametrize(
        ("bank", "changes", "why"),
        [
            (FULL_AMOUNTS, {"operations": frozenset({CAPTURE})}, "A bank authorizes"),
            (FULL_AMOUNTS, {"operations": frozenset(OperationKind)}, "a release is a void"),
            (FULL_AMOUNTS, {"operations": frozenset({AUTHORIZE, VOID, REFUND})}, "must also capture"),
            (FULL_AMOUNTS, {"currencies": frozenset()}, "at least one currency"),
            (FULL_AMOUNTS, {"currencies": frozenset({"CHF"})}, "a known exponent"),
            (FULL_AMOUNTS, {"knows_keys_for": timedelta(0)}, "must be positive"),
            (FULL_AMOUNTS, {"knows_keys_for": None}, "must know keys"),
            (FULL_AMOUNTS, {"looks_up": frozenset({VOID})}, "can be looked up"),
            (FULL_AMOUNTS, {"calls_in_flight": 0}, "at least one call"),
            (ONE_CALL, {"captures_parts": True}, "can capture"),
            (ONE_CALL, {"refunds_parts": True}, "can refund"),
            (ONE_CALL, {"voids_expired_holds": True}, "can void"),
            (ONE_CALL, {"looks_up": frozenset({CAPTURE})}, "can be looked up"),
            (ONE_CALL, {"probes_without_card": True}, "must know keys"),
        ],
    )
    def test_what_contradicts_itself_is_refused(
        self, bank: Abilities, changes: dict[str, Any], why: str
    ) -> None:
        with pytest.raises(ValueError, match=rf"^[A-Z][a-z ]{{2}}.*{why}.*\.$|^{why}.*\.$"):
            replace(bank, **changes)

    def test_what_is_at_its_limit_is_taken(self) -> None:
        assert replace(FULL_AMOUNTS, calls_in_flight=1)
        assert replace(FULL_AMOUNTS, currencies=frozenset(DENOMINATIONS))
        assert replace(FULL_AMOUNTS, knows_keys_for=timedelta(microseconds=1))
