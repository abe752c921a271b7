"""Fees and sums of settlements, and what they post."""

import itertools
from fractions import Fraction

from payments.domain.ledger import Account, Posting
from payments.domain.settlement import Sums, fee_of, postings_of_correction, postings_of_settlement


class TestFees:
    def test_are_a_share_and_a_fixed_part(self) -> None:
        assert fee_of(5000, 290, 30) == 175
        assert fee_of(5000, 0, 0) == 0
        assert fee_of(99_999_999, 10_000, 99_999_999) == 199_999_998

    def test_are_rounded_half_to_even(self) -> None:
        for amount, fee in ((50, 0), (150, 2), (250, 2), (350, 4), (51, 1), (149, 1), (151, 2), (249, 2)):
            assert fee_of(amount, 100, 0) == fee, amount

    def test_are_rounded_once_share_and_fixed_part_together(self) -> None:
        # 0.5 alone would be 0, and 1 with the fixed part; 1.5 together is 2.
        assert fee_of(50, 100, 1) == 2

    def test_are_as_exact_fractions_have_them(self) -> None:
        amounts = (1, 2, 3, 49, 50, 51, 99, 100, 101, 1250, 4999, 99_999_999)
        for amount, points, fixed in itertools.product(
            amounts, (0, 1, 25, 50, 290, 9999, 10_000), (0, 1, 30)
        ):
            exact = Fraction(amount * points, 10_000) + fixed
            assert fee_of(amount, points, fixed) == round(exact), (amount, points, fixed)


class TestSums:
    def test_what_is_left_is_paid(self) -> None:
        sums = Sums(captured_minor=10_000, refunded_minor=2_000, fees_minor=290, corrected_minor=-10)
        assert (sums.amount_minor, sums.carried_forward_minor) == (7_700, 0)

    def test_a_debt_is_carried_forward_and_nothing_is_paid(self) -> None:
        sums = Sums(captured_minor=1_000, refunded_minor=2_000, fees_minor=59)
        assert (sums.amount_minor, sums.carried_forward_minor) == (0, -1_059)

    def test_what_was_carried_comes_first(self) -> None:
        sums = Sums(captured_minor=1_000, brought_forward_minor=-1_059)
        assert (sums.amount_minor, sums.carried_forward_minor) == (0, -59)
        sums = Sums(captured_minor=1_000, brought_forward_minor=-59)
        assert (sums.amount_minor, sums.carried_forward_minor) == (941, 0)


class TestPostings:
    def test_of_a_settlement_are_what_is_paid_and_the_fees(self) -> None:
        assert postings_of_settlement(Sums(captured_minor=10_000, fees_minor=290)) == [
            Posting(Account.MERCHANT_PAYABLE, 10_000),
            Posting(Account.BANK_RECEIVABLE, -9_710),
            Posting(Account.FEES, -290),
        ]

    def test_of_a_debt_are_the_fees_alone(self) -> None:
        assert postings_of_settlement(Sums(captured_minor=1_000, refunded_minor=2_000, fees_minor=59)) == [
            Posting(Account.MERCHANT_PAYABLE, 59),
            Posting(Account.FEES, -59),
        ]

    def test_of_a_debt_without_fees_are_none(self) -> None:
        assert postings_of_settlement(Sums(refunded_minor=2_000)) == []

    def test_leave_the_payable_account_with_what_is_carried_forward(self) -> None:
        choices = itertools.product((0, 500, 5_000), (0, 700), (0, 30), (-40, 0, 40), (-900, 0))
        for captured, refunded, fees, corrected, brought in choices:
            sums = Sums(captured, refunded, fees, corrected, brought)
            postings = {one.account: one.amount_minor for one in postings_of_settlement(sums)}
            owed = captured - refunded + corrected + brought - postings.get(Account.MERCHANT_PAYABLE, 0)
            assert owed == sums.carried_forward_minor, sums
            assert sum(postings.values()) == 0, sums
            assert all(postings.values()), sums

    def test_of_a_correction_are_against_an_account_of_its_own(self) -> None:
        assert postings_of_correction(100) == [
            Posting(Account.MERCHANT_PAYABLE, -100),
            Posting(Account.CORRECTIONS, 100),
        ]
        assert postings_of_correction(-100) == [
            Posting(Account.MERCHANT_PAYABLE, 100),
            Posting(Account.CORRECTIONS, -100),
        ]
