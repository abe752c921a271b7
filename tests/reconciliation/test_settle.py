"""What is settled, what waits, and what is carried from one settlement to the next."""

from datetime import UTC, datetime, timedelta

import pytest

from payments.domain.settlement import fee_of
from payments.domain.states import Mode
from payments.models import Event, LedgerEntry
from reconciliation.models import Correction, Settlement, SettlementLine
from reconciliation.services.correct import CorrectionRefused, correct
from reconciliation.services.settle import SettlementRefused, propose, settle
from tests.support.at_once import at_once
from tests.support.book_factories import FeeTermsFactory, MatchFactory
from tests.support.factories import MerchantFactory
from tests.support.settling import DAY, NEXT, balance_of, captured, many_captured, noon, refunded

ACTOR = "operator"
TODAY = datetime.now(UTC).date()
TOMORROW = TODAY + timedelta(days=1)
LATER = datetime.now(UTC) + timedelta(days=10)  # by then the days above are over


def sums(settlement: Settlement) -> dict[str, int]:
    """What it consists of, without what is nought."""
    names = ("captured", "refunded", "fees", "corrected", "brought_forward", "amount", "carried_forward")
    every = {name: getattr(settlement, f"{name}_minor") for name in names}
    return {name: value for name, value in every.items() if value}


class TestSettlement:
    def test_has_the_captures_that_the_statement_shows_less_refunds_and_fees(self) -> None:
        FeeTermsFactory(basis_points=290, fixed_minor=30)
        first, second = captured(10_000), captured(5_000)
        captured(7_000, matched=False)
        refund = refunded(first, 2_000)
        (settlement,) = settle(DAY, actor=ACTOR)
        assert sums(settlement) == {
            "captured": 15_000, "refunded": 2_000, "fees": 320 + 175, "amount": 12_505,
        }  # fmt: skip
        lines = settlement.lines.values_list("operation", "amount_minor", "fee_minor")
        assert set(lines) == {(first.pk, 10_000, 320), (second.pk, 5_000, 175), (refund.pk, -2_000, 0)}

    def test_is_posted_with_its_event(self) -> None:
        FeeTermsFactory(basis_points=100, fixed_minor=0)
        captured(10_000)
        (settlement,) = settle(DAY, actor=ACTOR)
        event = settlement.event
        assert (event.type, event.actor, event.payment) == (Event.Type.SETTLEMENT_CREATED, ACTOR, None)
        assert event.evidence["settlement"] == settlement.public_id
        assert event.evidence["amount_minor"] == 9_900
        postings = dict(event.entry.postings.values_list("account", "amount_minor"))
        assert postings == {"merchant_payable": 10_000, "bank_receivable": -9_900, "fees": -100}

    def test_is_one_for_each_merchant_mode_bank_and_currency(self) -> None:
        captured(1)
        captured(2, merchant=MerchantFactory(slug="other"))
        captured(3, mode=Mode.TEST, bank="sandbox")
        captured(4, currency="EUR")
        captured(5, bank="acquirer")
        found = {
            (one.merchant.slug, one.mode, one.bank, one.currency): one.amount_minor
            for one in settle(DAY, actor=ACTOR)
        }
        assert found == {
            ("ficmart", "live", "ficmart", "USD"): 1,
            ("other", "live", "ficmart", "USD"): 2,
            ("ficmart", "test", "sandbox", "USD"): 3,
            ("ficmart", "live", "ficmart", "EUR"): 4,
            ("ficmart", "live", "acquirer", "USD"): 5,
        }

    def test_has_what_earlier_days_have_left_and_nothing_of_later_ones(self) -> None:
        late = captured(100, day=DAY - timedelta(days=9), matched=False)
        captured(1_000)
        captured(10_000, day=NEXT)
        assert [one.amount_minor for one in settle(DAY, actor=ACTOR)] == [1_000]
        MatchFactory(operation=late)
        assert [one.amount_minor for one in settle(NEXT, actor=ACTOR)] == [10_100]

    def test_ends_with_midnight_utc(self) -> None:
        captured(1, day=NEXT)
        captured(2)
        (settlement,) = settle(DAY, actor=ACTOR)
        (line,) = settlement.lines.all()
        assert line.operation is not None
        assert line.operation.finished_at == noon(DAY)

    def test_is_none_where_there_is_nothing_to_settle(self) -> None:
        captured(matched=False)
        refunded(captured(matched=False), 100)
        assert settle(DAY, actor=ACTOR) == []
        assert not LedgerEntry.objects.exists()

    def test_of_thousands_is_exact(self) -> None:
        FeeTermsFactory(basis_points=50, fixed_minor=1)
        many_captured(5_000)
        (settlement,) = settle(DAY, actor=ACTOR)
        amounts = range(1, 5_001)
        assert settlement.captured_minor == sum(amounts)
        assert settlement.fees_minor == sum(fee_of(amount, 50, 1) for amount in amounts)
        fees = settlement.lines.order_by("id").values_list("amount_minor", "fee_minor")
        assert list(fees) == [(amount, fee_of(amount, 50, 1)) for amount in amounts]


class TestFees:
    def test_are_those_in_force_at_the_capture(self) -> None:
        FeeTermsFactory(basis_points=0, fixed_minor=1, valid_from=noon(DAY) - timedelta(days=9))
        FeeTermsFactory(basis_points=0, fixed_minor=20, valid_from=noon(DAY))
        FeeTermsFactory(basis_points=0, fixed_minor=300, valid_from=noon(DAY) + timedelta(seconds=1))
        FeeTermsFactory(basis_points=0, fixed_minor=4000, currency="EUR")
        FeeTermsFactory(basis_points=0, fixed_minor=4000, mode=Mode.TEST)
        FeeTermsFactory(basis_points=0, fixed_minor=4000, merchant=MerchantFactory(slug="other"))
        captured()
        captured(day=DAY - timedelta(days=1))
        captured(day=DAY - timedelta(days=99))
        (settlement,) = settle(DAY, actor=ACTOR)
        assert set(settlement.lines.values_list("fee_minor", flat=True)) == {20, 1, 0}

    def test_are_not_given_back_with_the_money(self) -> None:
        FeeTermsFactory(basis_points=0, fixed_minor=30)
        refunded(captured(1_000))
        (settlement,) = settle(DAY, actor=ACTOR)
        assert sums(settlement) == {
            "captured": 1_000, "refunded": 1_000, "fees": 30, "carried_forward": -30,
        }  # fmt: skip
        postings = dict(settlement.event.entry.postings.values_list("account", "amount_minor"))
        assert postings == {"merchant_payable": 30, "fees": -30}


class TestRefunds:
    def test_after_the_settlement_are_deducted_from_the_next(self) -> None:
        capture = captured(10_000)
        settle(DAY, actor=ACTOR)
        refunded(capture, 3_000, day=NEXT)
        captured(5_000, day=NEXT)
        (settlement,) = settle(NEXT, actor=ACTOR)
        assert sums(settlement) == {"captured": 5_000, "refunded": 3_000, "amount": 2_000}

    def test_need_no_match_but_wait_for_their_capture(self) -> None:
        capture = captured(10_000, matched=False)
        refunded(capture, 3_000)
        captured(500)
        assert [one.amount_minor for one in settle(DAY, actor=ACTOR)] == [500]
        MatchFactory(operation=capture)
        assert [sums(one) for one in settle(NEXT, actor=ACTOR)] == [
            {"captured": 10_000, "refunded": 3_000, "amount": 7_000}
        ]


class TestDebts:
    def test_are_carried_until_they_are_paid(self) -> None:
        capture = captured(10_000)
        settle(DAY, actor=ACTOR)
        refunded(capture, 9_000, day=NEXT)
        days = [NEXT + timedelta(days=number) for number in range(4)]
        captured(4_000, day=days[1])
        captured(6_000, day=days[3])
        found = [sums(settlement) for day in days for settlement in settle(day, actor=ACTOR)]
        assert found == [
            {"refunded": 9_000, "carried_forward": -9_000},
            {"captured": 4_000, "brought_forward": -9_000, "carried_forward": -5_000},
            # Nothing new on the third day: no settlement.
            {"captured": 6_000, "brought_forward": -5_000, "amount": 1_000},
        ]

    def test_of_one_currency_are_not_paid_by_another(self) -> None:
        dollars = captured(1_000)
        captured(1_000, currency="EUR", day=NEXT)
        settle(DAY, actor=ACTOR)
        refunded(dollars, day=NEXT)
        assert {one.currency: one.amount_minor for one in settle(NEXT, actor=ACTOR)} == {
            "USD": 0,
            "EUR": 1_000,
        }


class TestAgain:
    def test_a_day_is_settled_once(self) -> None:
        captured()
        first = settle(DAY, actor=ACTOR)
        captured(300)
        assert settle(DAY, actor=ACTOR) == first
        assert SettlementLine.objects.count() == 1
        assert LedgerEntry.objects.count() == 1
        assert [one.amount_minor for one in settle(NEXT, actor=ACTOR)] == [300]
        assert settle(DAY, actor=ACTOR) == first

    def test_a_day_that_is_not_over_is_refused(self) -> None:
        captured(day=TODAY - timedelta(days=1))
        for day in (TODAY, TOMORROW, TODAY + timedelta(days=400)):
            with pytest.raises(SettlementRefused, match=f"{day} .UTC. is not over yet"):
                settle(day, actor=ACTOR)
        assert len(settle(TODAY - timedelta(days=1), actor=ACTOR)) == 1

    def test_a_day_before_the_latest_is_refused_for_balances_are_carried_in_order(self) -> None:
        captured(day=NEXT)
        settle(NEXT, actor=ACTOR)
        captured()
        with pytest.raises(SettlementRefused, match=f"{DAY} cannot be settled any more: ficmart's live USD"):
            settle(DAY, actor=ACTOR)
        with pytest.raises(SettlementRefused):
            propose(DAY)
        assert Settlement.objects.count() == 1

    def test_what_would_be_settled_is_told_and_nothing_done(self) -> None:
        captured()
        (proposed,) = propose(DAY)
        assert (proposed.payee.slug, proposed.lines, proposed.sums.amount_minor) == ("ficmart", 1, 5_000)
        assert not Settlement.objects.exists()
        settle(DAY, actor=ACTOR)
        assert propose(DAY) == []


class TestCorrections:
    def test_are_posted_at_once_and_join_the_next_settlement(self) -> None:
        captured()
        (settlement,) = settle(DAY, actor=ACTOR)
        correction = correct(settlement, amount_minor=-700, reason=" settled twice ", actor="staff:kim")
        postings = dict(correction.event.entry.postings.values_list("account", "amount_minor"))
        assert postings == {"merchant_payable": 700, "corrections": -700}
        assert (correction.reason, correction.event.evidence["reason"]) == ("settled twice", "settled twice")
        assert [sums(one) for one in settle(TOMORROW, actor=ACTOR, now=LATER)] == [
            {"corrected": -700, "carried_forward": -700}
        ]
        correct(settlement, amount_minor=900, reason="in their favor", actor="staff:kim")
        (last,) = settle(TOMORROW + timedelta(days=1), actor=ACTOR, now=LATER)
        assert sums(last) == {"corrected": 900, "brought_forward": -700, "amount": 200}
        # The capture itself, made by a factory, is not posted.
        assert balance_of("merchant_payable", bank="ficmart") == 5_000 + 700 - 900 + 200

    def test_name_what_was_settled_wrongly(self) -> None:
        capture = captured()
        (settlement,) = settle(DAY, actor=ACTOR)
        correction = correct(
            settlement,
            amount_minor=1,
            reason="a cent",
            actor="staff:kim",
            operation=capture,
            logged={"user": 7},
        )
        assert correction.operation == capture
        assert correction.event.evidence["operation"] == capture.public_id
        assert correction.event.evidence["user"] == 7

    def test_are_made_once_though_sent_twice(self) -> None:
        captured()
        (settlement,) = settle(DAY, actor=ACTOR)

        def sent() -> str:
            try:
                correct(settlement, amount_minor=-700, reason="settled twice", actor="staff:kim")
            except CorrectionRefused as no:
                return str(no)
            return ""

        made, refused = sorted(at_once(sent, sent))
        assert (made, refused[:39]) == ("", "This correction was made already. If it")
        assert Correction.objects.count() == 1
        correct(settlement, amount_minor=-700, reason="settled three times", actor="staff:kim")

    def test_that_say_too_little_or_too_much_are_refused(self) -> None:
        captured()
        other = captured(merchant=MerchantFactory(slug="other"))
        settlement, _ = settle(DAY, actor=ACTOR)
        for amount, reason, operation, message in (
            (0, "why", None, "The amount must be"),
            (100_000_000, "why", None, "The amount must be"),
            (1, "  ", None, "needs a reason"),
            (1, "x" * 501, None, "more than 500 characters"),
            (1, "card 4111 1111 1111 1111", None, "looks like a card number"),
            (1, "why", other, "is not part of"),
        ):
            with pytest.raises(CorrectionRefused, match=message):
                correct(
                    settlement, amount_minor=amount, reason=reason, actor="staff:kim", operation=operation
                )
