"""What is posted when: every way a payment can go, added up."""

import itertools

from payments.domain.ledger import Account, Position, Posting, position_of, postings_between
from payments.domain.states import PaymentState

S = PaymentState
AUTHORIZED = position_of(S.AUTHORIZED, amount_minor=5000, captured_minor=0, refunded_minor=0)
NOTHING = Position()


def captured(part: int, refunded: int = 0) -> Position:
    state = S.REFUNDED if refunded == part else S.CAPTURED
    return position_of(state, amount_minor=5000, captured_minor=part, refunded_minor=refunded)


def amounts(postings: list[Posting]) -> dict[Account, int]:
    return {one.account: one.amount_minor for one in postings}


class TestPostings:
    def test_of_a_hold_are_memorandum_only(self) -> None:
        assert amounts(postings_between(NOTHING, AUTHORIZED)) == {
            Account.HOLDS: 5000,
            Account.HOLDS_CONTRA: -5000,
        }

    def test_of_a_capture_of_a_part_release_the_whole_hold(self) -> None:
        assert amounts(postings_between(AUTHORIZED, captured(3000))) == {
            Account.HOLDS: -5000,
            Account.HOLDS_CONTRA: 5000,
            Account.BANK_RECEIVABLE: 3000,
            Account.MERCHANT_PAYABLE: -3000,
        }

    def test_of_refunds_in_parts_take_back_what_each_gave_back(self) -> None:
        assert amounts(postings_between(captured(3000), captured(3000, 1000))) == {
            Account.BANK_RECEIVABLE: -1000,
            Account.MERCHANT_PAYABLE: 1000,
        }
        assert amounts(postings_between(captured(3000, 1000), captured(3000, 3000))) == {
            Account.BANK_RECEIVABLE: -2000,
            Account.MERCHANT_PAYABLE: 2000,
        }

    def test_of_the_end_of_a_hold_take_it_back(self) -> None:
        for state in (S.VOIDED, S.EXPIRED):
            ended = position_of(state, amount_minor=5000, captured_minor=0, refunded_minor=0)
            assert postings_between(AUTHORIZED, ended) == [
                Posting(Account.HOLDS, -5000),
                Posting(Account.HOLDS_CONTRA, 5000),
            ]

    def test_of_what_moves_nothing_are_none(self) -> None:
        for state in (S.PENDING, S.DECLINED, S.FAILED):
            assert (
                postings_between(
                    NOTHING, position_of(state, amount_minor=5000, captured_minor=0, refunded_minor=0)
                )
                == []
            )

    def test_always_balance_and_never_move_nothing(self) -> None:
        positions = [
            NOTHING,
            AUTHORIZED,
            *(captured(p, r) for p in (1, 3000, 5000) for r in (0, 1, p) if r <= p),
        ]
        for before, after in itertools.product(positions, repeat=2):
            postings = postings_between(before, after)
            assert sum(one.amount_minor for one in postings) == 0, (before, after)
            assert all(one.amount_minor for one in postings), (before, after)
