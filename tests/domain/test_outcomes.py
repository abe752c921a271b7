"""The table of outcomes, cell by cell, and what its conditions are."""

from dataclasses import dataclass, replace
from itertools import product

import pytest

from payments.domain.meanings import ABOUT_THE_CARD, MEANINGS, PROBE_MEANINGS, ReplyKind
from payments.domain.outcomes import (
    Checks,
    Declined,
    History,
    InDoubt,
    NeedsReview,
    NotExecuted,
    Rejected,
    ReviewReason,
    Succeeded,
    health_decides,
    meaning_of,
    outcome_of,
)
from payments.domain.replies import (
    ISSUERS,
    BankError,
    Decline,
    Mismatch,
    NotDone,
    NotSent,
    Reply,
    Said,
    Silence,
    describe,
    is_silent,
)
from payments.domain.states import OperationKind
from tests.domain.outcome_words import (
    AFTER_DOUBT,
    AFTER_SILENCE,
    AFTER_SILENCES,
    APPROVED,
    AWAITING,
    BESIDE_A_CALL,
    CONTRADICTION,
    DECLINED,
    DECLINED_AWAITING,
    DONE_BY_OTHERS,
    DOUBT,
    EXPIRES_AT,
    FRESH,
    INSTRUCTED,
    KINDS,
    NOT_EXECUTED,
    REJECTED,
    REPLAYED,
    REVIEW,
    SUCCEEDED,
    UNKNOWN,
    says,
    spelled,
)


@dataclass(frozen=True)
class Row:
    """A reply after a history, and what it means for an authorize, a capture, a void and a refund."""

    says: str
    reply: Reply
    history: History
    means: tuple[str, str, str, str]
    healthy: bool | None = None
    earlier: bool | None = None

    @property
    def around(self) -> Checks:
        return Checks(healthy_after=self.healthy, earlier_answered=self.earlier)

    def means_for(self, kind: OperationKind) -> str:
        return spelled(outcome_of(kind, self.reply, self.history, self.around))


def everywhere(cell: str) -> tuple[str, str, str, str]:
    return (cell, cell, cell, cell)


NO = (DECLINED, CONTRADICTION, CONTRADICTION, CONTRADICTION)
NO_AWAITING = (DECLINED_AWAITING, CONTRADICTION, CONTRADICTION, CONTRADICTION)
UNWELL = (DOUBT, CONTRADICTION, CONTRADICTION, CONTRADICTION)
ALREADY = {
    Said.ALREADY_USED: (CONTRADICTION, REVIEW, SUCCEEDED, CONTRADICTION),
    Said.ALREADY_CAPTURED: (CONTRADICTION, REVIEW, CONTRADICTION, CONTRADICTION),
    Said.ALREADY_VOIDED: (CONTRADICTION, CONTRADICTION, SUCCEEDED, CONTRADICTION),
    Said.ALREADY_REFUNDED: (CONTRADICTION, CONTRADICTION, CONTRADICTION, SUCCEEDED),
}
TABLE = [
    Row("200", APPROVED, FRESH, everywhere(SUCCEEDED)),
    Row("200 replayed", REPLAYED, FRESH, everywhere(SUCCEEDED)),
    Row("200 after a 500", APPROVED, AFTER_DOUBT, everywhere(SUCCEEDED)),
    Row("200 replayed after silence", REPLAYED, AFTER_SILENCE, everywhere(SUCCEEDED)),
    Row("200 anew after silence", APPROVED, AFTER_SILENCE, (AWAITING, SUCCEEDED, SUCCEEDED, SUCCEEDED)),
    Row("200 replayed after silences", REPLAYED, AFTER_SILENCES, (AWAITING, SUCCEEDED, SUCCEEDED, SUCCEEDED)),
    *(
        row
        for code in sorted(ISSUERS - {Said.INVALID_CARD})
        for row in (
            Row(code, says(code), FRESH, NO),
            Row(f"{code} after a 500", says(code), AFTER_DOUBT, NO),
            Row(f"{code} after silence", says(code), AFTER_SILENCE, NO_AWAITING),
        )
    ),
    Row("invalid_card, healthy", says(Said.INVALID_CARD), FRESH, NO, True),
    Row(
        "invalid_card, healthy, after silence",
        says(Said.INVALID_CARD),
        AFTER_SILENCE,
        NO_AWAITING,
        True,
    ),
    Row("invalid_card, unhealthy", says(Said.INVALID_CARD), FRESH, UNWELL, False),
    Row("invalid_card, health unknown", says(Said.INVALID_CARD), FRESH, UNWELL, None),
    Row("500", NotDone(500, "internal_error"), FRESH, everywhere(DOUBT)),
    Row("429", NotDone(429, "slow_down"), FRESH, everywhere(DOUBT)),
    Row("400 internal_error", Silence("400 internal_error", 400), FRESH, everywhere(DOUBT)),
    Row("silence", Silence("timeout"), FRESH, everywhere(DOUBT)),
    Row("unreadable 200", Silence("unreadable reply", 200), FRESH, everywhere(DOUBT)),
    Row("nothing sent", NotSent("refused"), FRESH, everywhere(NOT_EXECUTED)),
    Row("nothing sent after a 500", NotSent("refused"), AFTER_DOUBT, everywhere(DOUBT)),
    Row("nothing sent after silence", NotSent("refused"), AFTER_SILENCE, everywhere(DOUBT)),
    Row(
        "authorization_expired",
        says(Said.AUTHORIZATION_EXPIRED),
        FRESH,
        (CONTRADICTION, REJECTED, CONTRADICTION, CONTRADICTION),
    ),
    # Done by whom? Nobody knows, unless an attempt of ours was silent: a 500 proves that it did nothing.
    *(Row(code, says(code), FRESH, everywhere(CONTRADICTION)) for code in ALREADY),
    # And what was done before a silence of ours was not done by it.
    *(
        Row(
            *(f"{code} after {before}", says(code), history),
            *(everywhere(CONTRADICTION), None, True),
        )
        for code in ALREADY
        for before, history in (("a 500", AFTER_DOUBT), ("it was said before silence", DONE_BY_OTHERS))
    ),
    # Our own hold may be what used up the funds, but not what makes a card expire.
    Row(
        "insufficient_funds while a call of ours may be alive",
        Decline(Said.INSUFFICIENT_FUNDS, 402, "insufficient_funds"),
        BESIDE_A_CALL,
        (CONTRADICTION, CONTRADICTION, CONTRADICTION, CONTRADICTION),
    ),
    *(
        Row(f"{code} while a call of ours may be alive", says(code), BESIDE_A_CALL, NO_AWAITING, True)
        for code in ABOUT_THE_CARD
    ),
    *(
        Row(f"{code} after silence, B {known}", says(code), AFTER_SILENCE, means, earlier=known)
        for code, means_deduced in ALREADY.items()
        for known, means in (
            (True, means_deduced),
            (False, tuple(REVIEW if cell == SUCCEEDED else cell for cell in means_deduced)),
            (None, tuple(REVIEW if cell == SUCCEEDED else cell for cell in means_deduced)),
        )
    ),
    Row("another error", says(Said.BANK_ERROR), FRESH, everywhere(CONTRADICTION)),
    Row("200 of something else", Mismatch(200, "another amount than sent"), FRESH, everywhere(CONTRADICTION)),
]


class TestTheTable:
    def test_says_what_each_reply_means(self) -> None:
        for row in TABLE:
            for kind, cell in zip(INSTRUCTED, row.means, strict=True):
                assert row.means_for(kind) == cell, f"{row.says}, {kind}"

    def test_a_release_is_judged_as_a_void_but_never_given_up(self) -> None:
        for row in TABLE:
            as_void = row.means_for(OperationKind.VOID)
            expected = DOUBT if as_void == NOT_EXECUTED else as_void
            assert row.means_for(OperationKind.RELEASE) == expected, row.says

    def test_has_a_cell_for_every_answer_to_every_kind(self) -> None:
        assert set(MEANINGS) == {(answer, kind) for answer in ReplyKind for kind in OperationKind}
        assert set(PROBE_MEANINGS) == set(ReplyKind)

    def test_a_success_carries_the_banks_reference_and_the_holds_end(self) -> None:
        outcome = outcome_of(OperationKind.AUTHORIZE, APPROVED, FRESH, UNKNOWN)
        assert outcome == Succeeded("ref", strays_awaited=0, expires_at=EXPIRES_AT)

    def test_a_no_carries_the_banks_word(self) -> None:
        refusal = Decline(Said.INSUFFICIENT_FUNDS, 402, "insufficient_funds")
        assert outcome_of(OperationKind.AUTHORIZE, refusal, FRESH, UNKNOWN) == Declined("insufficient_funds")
        expired = says(Said.AUTHORIZATION_EXPIRED)
        assert outcome_of(OperationKind.CAPTURE, expired, FRESH, UNKNOWN) == Rejected("authorization_expired")

    def test_the_banks_wish_for_patience_is_passed_on(self) -> None:
        for reply in (NotDone(429, "slow_down", 7.0), NotDone(500, "x", 7.0), Silence("busy", 503, 7.0)):
            outcome = outcome_of(OperationKind.VOID, reply, FRESH, UNKNOWN)
            assert isinstance(outcome, InDoubt)
            assert outcome.retry_after == 7.0, reply

    @pytest.mark.parametrize("kind", KINDS)
    def test_health_is_asked_for_where_it_decides_and_nowhere_else(self, kind: OperationKind) -> None:
        def decides(reply: Reply, *, healthy_before: bool | None = None) -> bool:
            meaning = meaning_of(kind, reply, FRESH, probe=False)
            return health_decides(meaning, Checks(healthy_before=healthy_before))

        invalid_card, contradiction = (
            says(Said.INVALID_CARD),
            Mismatch(200, "another amount than sent"),
        )
        assert decides(invalid_card) == (kind is OperationKind.AUTHORIZE)
        assert decides(invalid_card, healthy_before=True)
        assert decides(contradiction, healthy_before=True)
        assert not decides(contradiction, healthy_before=False)
        for reply in (APPROVED, Silence("x"), NotSent("x"), NotDone(500, "invalid_card")):
            assert not decides(reply, healthy_before=True)


class TestSilence:
    def after(self, reply: Reply) -> str:
        """What an approval means after this reply."""
        after = FRESH.after(reply, outcome_of(OperationKind.AUTHORIZE, reply, FRESH, UNKNOWN))
        return spelled(outcome_of(OperationKind.AUTHORIZE, APPROVED, after, UNKNOWN))

    def test_is_what_may_hide_a_hold(self) -> None:
        for reply in (
            Silence("timeout"),
            Silence("unreadable reply", 200),
            Silence("400 internal_error", 400),
            Mismatch(200, "another amount than sent"),
        ):
            assert is_silent(reply)
            assert self.after(reply) == AWAITING, reply

    def test_is_not_what_tells_of_the_attempt(self) -> None:
        for reply in (
            APPROVED,
            NotSent("refused"),
            NotDone(500, "internal_error"),
            NotDone(429, "slow_down"),
            says(Said.INVALID_CARD),
            BankError(Said.BANK_ERROR, 404, "not_found"),
        ):
            assert not is_silent(reply)
            assert self.after(reply) == SUCCEEDED, reply


class TestTheStraysThatAreAwaited:
    """As many as may exist: each silent attempt may have made a hold, and an answer names one."""

    @pytest.mark.parametrize("silent", [0, 1, 2, 3])
    def test_are_counted(self, silent: int) -> None:
        history = History(any_in_doubt=silent > 0, silent=silent)

        def awaited(reply: Reply, *, probe: bool = False) -> int:
            well = Checks(healthy_before=True, healthy_after=True)
            before = replace(history, probed_negative=probe)
            outcome = outcome_of(OperationKind.AUTHORIZE, reply, before, well, probe=probe)
            assert isinstance(outcome, Succeeded | Declined | NotExecuted)
            return outcome.strays_awaited

        assert awaited(APPROVED) == silent
        assert awaited(REPLAYED) == max(0, silent - 1)
        assert awaited(Decline(Said.INSUFFICIENT_FUNDS, 402, "insufficient_funds")) == silent
        assert awaited(REPLAYED, probe=True) == max(0, silent - 1)
        assert awaited(says(Said.INVALID_CARD), probe=True) == max(1, silent)

    @pytest.mark.parametrize("kind", KINDS)
    def test_are_holds_only(self, kind: OperationKind) -> None:
        outcome = outcome_of(kind, APPROVED, AFTER_SILENCES, UNKNOWN)
        assert outcome == Succeeded("ref", 2 if kind is OperationKind.AUTHORIZE else 0, EXPIRES_AT)


class TestTheCardIsSent:
    @pytest.mark.parametrize(
        "silence", [Silence("timeout"), Silence("400 internal_error", 400), Silence("unreadable reply", 200)]
    )
    def test_until_two_attempts_were_silent(self, silence: Reply) -> None:
        def is_repeated(kind: OperationKind, history: History, *, probe: bool = False) -> bool:
            outcome = outcome_of(kind, silence, history, UNKNOWN, probe=probe)
            assert isinstance(outcome, InDoubt)
            return outcome.retry

        assert is_repeated(OperationKind.AUTHORIZE, FRESH)
        assert is_repeated(OperationKind.AUTHORIZE, AFTER_DOUBT)
        assert not is_repeated(OperationKind.AUTHORIZE, AFTER_SILENCE)
        assert is_repeated(OperationKind.AUTHORIZE, AFTER_SILENCES, probe=True)
        assert all(is_repeated(kind, AFTER_SILENCES) for kind in KINDS if kind != OperationKind.AUTHORIZE)

    def test_as_often_as_the_banks_own_error_says_that_nothing_was_done(self) -> None:
        outcome = outcome_of(OperationKind.AUTHORIZE, NotDone(500, "internal_error"), AFTER_SILENCE, UNKNOWN)
        assert isinstance(outcome, InDoubt)
        assert outcome.retry
        assert AFTER_SILENCE.may_send_card
        assert not AFTER_SILENCES.may_send_card


class TestABankThatKnowsNoKeys:
    """Nothing is left in doubt there: people decide at once, or nothing was executed for certain."""

    WITHOUT_KEYS = History(cannot_ask=True)
    ALL = (
        NotSent("connection failed"),
        NotDone(503),
        Silence("timeout", is_over=False),
        Silence("lost", 200),
        APPROVED,
        Decline(Said.DECLINED, 200),
        BankError(Said.BANK_ERROR, 400),
        Mismatch(200, "another amount"),
    )

    def test_needs_people_for_whatever_it_may_have_executed(self) -> None:
        told = {
            describe(one): outcome_of(OperationKind.AUTHORIZE, one, self.WITHOUT_KEYS, UNKNOWN)
            for one in self.ALL
        }
        review = NeedsReview(ReviewReason.CANNOT_ASK)
        in_review = {words for words, outcome in told.items() if outcome == review}
        assert in_review == {"timeout", "lost", "200 another amount"}
        not_executed = {words for words, outcome in told.items() if isinstance(outcome, NotExecuted)}
        assert not_executed == {"connection failed", "503 not_done", "400 bank_error"}

    def test_is_never_asked_about_a_doubt_again(self) -> None:
        doubt = replace(self.WITHOUT_KEYS, any_in_doubt=True, silent=1)
        for kind, reply in product(KINDS, self.ALL):
            outcome = outcome_of(kind, reply, doubt, UNKNOWN)
            assert not isinstance(outcome, InDoubt | NotExecuted), (kind, reply)


class TestTheWordsForAReply:
    def test_are_few_and_ours(self) -> None:
        for reply, words in (
            (NotSent("connection failed"), "connection failed"),
            (Silence("timeout"), "timeout"),
            (APPROVED, "200"),
            (REPLAYED, "200 replayed"),
            (Decline(Said.INSUFFICIENT_FUNDS, 402, "insufficient_funds"), "402 insufficient_funds"),
            (NotDone(503), "503 not_done"),
            (Mismatch(200, "another amount than sent"), "200 another amount than sent"),
        ):
            assert describe(reply) == words
