"""The small rules: ids, money, states, times and shipping."""

import math
import re
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.ids import (
    OPERATION_PREFIX,
    PAYMENT_PREFIX,
    is_idempotency_key,
    new_id,
    parse_public_id,
    public_id,
)
from payments.domain.shipping import Readiness, readiness
from payments.domain.states import (
    FINISHED_OPERATIONS,
    HELD_PAYMENTS,
    LIVE_PAYMENTS,
    OPERATION_EDGES,
    PAYMENT_EDGES,
    UNFINISHED_OPERATIONS,
    OperationState,
    PaymentState,
    since,
)
from payments.domain.timing import DatabaseTiming, Timing

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SENTENCE = r"^[A-Z][a-z ]{2}.*\.$"


def refusal_of(timing: Callable[..., object], bounds: dict[str, float]) -> str:
    """Why these bounds are refused, or nothing where they are taken."""
    try:
        timing(**bounds)
    except ValueError as error:
        return str(error)
    return ""


class TestIds:
    @given(st.uuids())
    def test_are_read_back_as_they_were_written(self, uuid: UUID) -> None:
        assert parse_public_id(PAYMENT_PREFIX, public_id(PAYMENT_PREFIX, uuid)) == uuid

    def test_are_a_prefix_and_32_hexadecimal_digits(self) -> None:
        uuid = UUID("0189f7e0-1234-4abc-8def-0123456789ab")
        assert public_id(OPERATION_PREFIX, uuid) == "op_0189f7e012344abc8def0123456789ab"

    def test_nothing_else_is_one(self) -> None:
        for text in (
            *("", "pay_", "pay_123", "0189f7e012344abc8def0123456789ab"),
            *("op_0189f7e012344abc8def0123456789ab", "pay_pay_0189f7e012344abc8def0123456789ab"),
            *("pay_0189F7E012344ABC8DEF0123456789AB", "pay_0189f7e0-1234-4abc-8def-0123456789ab"),
            *("pay_0189f7e012344abc8def0123456789ab\n", " pay_0189f7e012344abc8def0123456789ab"),
            *("pay_0189f7e012344abc8def0123456789a", "pay_0189f7e012344abc8def0123456789abc"),
            *("pay_\u0660189f7e012344abc8def0123456789ab", "pay_0189f7e012344abc8def0123456789ag"),
            "pay_{0189f7e012344abc8def0123456789}",
        ):
            assert parse_public_id(PAYMENT_PREFIX, text) is None, text

    def test_of_merchants_are_visible_ascii_without_a_comma(self) -> None:
        visible = {chr(code) for code in range(0x21, 0x7F)} - {","}
        assert {sign for sign in map(chr, range(0x200)) if is_idempotency_key(sign)} == visible
        assert is_idempotency_key("k" * 255)
        for text in ("", "k" * 256, "a key", "key\n"):
            assert not is_idempotency_key(text)

    def test_new_ones_are_random(self) -> None:
        ids = {new_id() for _ in range(100)}
        assert len(ids) == 100
        assert {uuid.version for uuid in ids} == {4}


class TestStates:
    def test_a_payments_edges_are_the_designs(self) -> None:
        drawn = """
            PENDING AUTHORIZED, AUTHORIZED CAPTURED, CAPTURED REFUNDED, AUTHORIZED VOIDED,
            AUTHORIZED EXPIRED, PENDING DECLINED, PENDING FAILED
        """
        assert {f"{source} {target}" for source, target in PAYMENT_EDGES} == {
            edge.strip() for edge in drawn.split(",")
        }

    def test_an_operations_edges_are_the_designs(self) -> None:
        ends = {"SUCCEEDED", "DECLINED", "REJECTED", "NOT_EXECUTED"}
        edges = {(str(source), str(target)) for source, target in OPERATION_EDGES}
        assert edges == {("OPEN", end) for end in {*ends, "NEEDS_REVIEW"}} | {
            ("NEEDS_REVIEW", end) for end in ends
        }

    def test_no_payment_comes_back_to_where_it_was(self) -> None:
        for source, target in PAYMENT_EDGES:
            assert source not in since(target)
            assert target in since(source)

    def test_what_a_payment_has_been_follows_from_its_state(self) -> None:
        assert set(since(PaymentState.PENDING)) == set(PaymentState)
        assert set(since(PaymentState.CAPTURED)) == {PaymentState.CAPTURED, PaymentState.REFUNDED}
        assert since(PaymentState.FAILED) == (PaymentState.FAILED,)
        assert {*HELD_PAYMENTS} == {*PaymentState} - {
            PaymentState.PENDING,
            PaymentState.DECLINED,
            PaymentState.FAILED,
        }
        targets = [target for _, target in PAYMENT_EDGES]
        assert len(targets) == len(set(targets))  # one road to each state

    def test_a_live_payment_is_one_whose_money_may_still_be_held_or_kept(self) -> None:
        assert {*LIVE_PAYMENTS} == {PaymentState.PENDING, PaymentState.AUTHORIZED, PaymentState.CAPTURED}

    def test_every_state_of_an_operation_is_finished_or_not(self) -> None:
        assert {*FINISHED_OPERATIONS} | {*UNFINISHED_OPERATIONS} == set(OperationState)
        assert not {*FINISHED_OPERATIONS} & {*UNFINISHED_OPERATIONS}
        assert not {source for source, _ in OPERATION_EDGES} & {*FINISHED_OPERATIONS}


class TestTiming:
    def test_the_defaults_are_the_designs(self) -> None:
        timing = Timing()
        assert (timing.connect, timing.read, timing.attempt) == (2, 30, 35)
        assert (timing.start_window, timing.client_wait, timing.lease) == (5, 20, 45)

    def test_bounds_that_do_not_fit_each_other_are_refused(self) -> None:
        for wrong in (
            {"attempt": 32.0},  # connect and read alone take as long
            *({"read": 33.0}, {"connect": 5.0}, {"connect": 0.0}, {"connect": -1.0}, {"read": 0.0}),
            *({"start_window": 20.0}, {"client_wait": 5.0}),
            *({"backoff_base": 0.0}, {"backoff_base": 3.0}, {"backoff_cap": 6.0}),
            *({"lease_margin": 0.0}, {"lease_margin": -1.0}),
            *({"due_base": 0.0}, {"due_cap": 29.0}, {"longest_rest": 239.0}),
            *({"rest_of_age": 0.0}, {"rest_of_age": 1.0}),
            *({field.name: math.nan} for field in fields(Timing)),
        ):
            assert re.search(SENTENCE, refusal_of(Timing, wrong)), wrong

    def test_bounds_at_their_limits_are_taken(self) -> None:
        for right in (
            {"connect": 0.1, "read": 0.1},
            {"backoff_base": 2.0},
            {"backoff_cap": 5.0},
            {"due_base": 0.1},
            {"due_base": 240.0},
            {"longest_rest": 240.0},
            {"lease_margin": 0.1},
        ):
            assert Timing(**right)

    def test_health_is_asked_for_and_recorded_within_the_leases_margin(self) -> None:
        assert Timing().health == 2
        assert Timing(lease_margin=1.0).health < 1.0

    def test_an_operation_in_doubt_rests_longer_each_time_up_to_a_bound(self) -> None:
        timing = Timing()
        rests = [timing.pause_after(attempts) for attempts in range(1, 2000)]
        assert rests[:4] == [30, 60, 120, 240]
        assert rests == sorted(rests)
        assert rests[-1] == 240

    def test_what_never_answers_is_asked_about_once_an_hour_after_a_day(self) -> None:
        timing, age, asked = Timing(), 0.0, []
        while age < 30 * 24 * 3600:
            age += timing.pause_after(len(asked) + 1, timedelta(seconds=age))
            asked.append(age)
        days = [sum(day * 86400 <= at < (day + 1) * 86400 for at in asked) for day in range(30)]
        assert days[0] <= 100
        assert set(days[2:]) == {24}
        assert timing.pause_after(1, timedelta(days=1)) == 3600

    def test_a_rest_by_age_is_a_share_of_it_and_an_hour_at_most(self) -> None:
        timing = Timing()
        assert timing.pause_after(1, timedelta(hours=12)) == 1800
        assert timing.pause_after(1, timedelta(hours=23)) == 3450
        assert timing.pause_after(1, timedelta(days=9)) == 3600

    def test_the_databases_bounds_end_before_the_clients_patience(self) -> None:
        for wrong in (
            *({"lock": 0.0}, {"lock": 8.0}, {"statement": 10.0}, {"silence": 14.0}),
            *({"connect": 5.0}, {"connect": 0.0}, {"pool": 10.0}, {"idle_in_transaction": 20.0}),
            *({"idle_in_transaction": 0.0}, {"keepalive_idle": 14.0}, {"unacknowledged": 20.0}),
            *({"unacknowledged": 0.0}, {"client_wait": 16.0}, {"pool": 12.0}),
            {"keepalive_idle": 0.0, "keepalive_interval": 0.0},
        ):
            assert re.search(SENTENCE, refusal_of(DatabaseTiming, wrong)), wrong

    def test_the_databases_bounds_may_be_short(self) -> None:
        short = {"lock": 0.1, "statement": 0.2, "silence": 0.3, "connect": 0.1, "pool": 0.1}
        short |= {"idle_in_transaction": 0.1, "keepalive_idle": 0.1, "keepalive_interval": 0.1}
        assert DatabaseTiming(**short, unacknowledged=0.1)  # type: ignore[arg-type]
        assert DatabaseTiming(connect=4.9)


class TestReadyToShip:
    def verdict(self, state: PaymentState, **changes: Any) -> Readiness:
        known: dict[str, Any] = {"pending": None, "expires_at": NOW + timedelta(days=7), "now": NOW}
        return readiness(state, **known | changes)

    def test_only_money_held_or_taken_lets_goods_leave(self) -> None:
        until = "The payment is AUTHORIZED until 2026-11-28T12:00:00Z."
        for state in PaymentState:
            ready = state in (PaymentState.AUTHORIZED, PaymentState.CAPTURED)
            reason = until if state is PaymentState.AUTHORIZED else f"The payment is {state}."
            assert self.verdict(state) == Readiness(ready, reason)

    def test_an_unfinished_operation_keeps_them(self) -> None:
        for state, pending in product(PaymentState, ("authorize", "capture", "void", "refund")):
            verdict = self.verdict(state, pending=pending)
            assert verdict == Readiness(False, f"The payment's {pending} is unfinished.")

    def test_a_bank_that_contradicts_what_is_known_keeps_them(self) -> None:
        for state in PaymentState:
            verdict = self.verdict(state, contradicted=True)
            assert verdict.ready is False
            assert re.search(SENTENCE, verdict.reason)
            assert "bank contradicts" in verdict.reason

    def test_a_hold_that_has_run_out_keeps_them(self) -> None:
        for ago in (timedelta(0), timedelta(microseconds=1), timedelta(days=400)):
            verdict = self.verdict(PaymentState.AUTHORIZED, expires_at=NOW - ago)
            assert verdict == Readiness(False, "The payment's authorization has run out.")

    def test_a_hold_whose_bank_names_no_end_lets_them_go(self) -> None:
        verdict = self.verdict(PaymentState.AUTHORIZED, expires_at=None)
        assert verdict == Readiness(True, "The payment is AUTHORIZED.")

    def test_a_captured_payment_needs_no_hold_any_more(self) -> None:
        assert self.verdict(PaymentState.CAPTURED, expires_at=NOW - timedelta(days=1)).ready

    @pytest.mark.usefixtures("far_from_utc")
    def test_the_reason_names_the_holds_end_in_utc(self) -> None:
        expires_at = datetime(2026, 11, 28, 1, 30, tzinfo=timezone(timedelta(hours=2)))
        verdict = self.verdict(PaymentState.AUTHORIZED, expires_at=expires_at)
        assert verdict.reason.endswith("until 2026-11-27T23:30:00Z.")
