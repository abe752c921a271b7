"""Evidence that counts when it is repeated: contradictions, and negative probes."""

from dataclasses import replace
from itertools import product

from payments.domain.outcomes import (
    Checks,
    History,
    InDoubt,
    NeedsReview,
    NotExecuted,
    Outcome,
    ReviewReason,
    Succeeded,
    Verdict,
    health_decides,
    meaning_of,
    outcome_of,
)
from payments.domain.replies import (
    DENIALS,
    BankError,
    Mismatch,
    NotDone,
    NotSent,
    Reply,
    Said,
    Silence,
)
from payments.domain.states import OperationKind
from tests.domain.outcome_words import (
    AFTER_DOUBT,
    AFTER_SILENCE,
    AFTER_SILENCES,
    APPROVED,
    DOUBT,
    EXPIRES_AT,
    FRESH,
    KINDS,
    REPLAYED,
    SUCCEEDED,
    says,
    spelled,
)

HEALTHY = Checks(healthy_before=True, healthy_after=True)
NOT_HEALTHY = [
    Checks(healthy_before=before, healthy_after=after)
    for before in (True, False, None)
    for after in (True, False, None)
    if not (before and after)
]


class TestAContradiction:
    DISAGREES = BankError(Said.BANK_ERROR, 400, "amount_mismatch")

    AGAIN = History(any_in_doubt=True, contradicted=True)

    def test_from_a_bank_in_good_health_counts_and_may_be_repeated_after_30_seconds(self) -> None:
        said = "contradiction: 400 amount_mismatch"
        expected = InDoubt(said, retry=False, retry_after=30.0, verdict=Verdict.CONTRADICTION)
        for kind in KINDS:
            assert outcome_of(kind, self.DISAGREES, FRESH, HEALTHY) == expected, kind

    def test_repeated_in_good_health_is_for_people(self) -> None:
        expected = NeedsReview(ReviewReason.CONTRADICTION, Verdict.CONTRADICTION)
        for kind, reply in product(KINDS, (self.DISAGREES, Mismatch(200, "another amount than sent"))):
            assert outcome_of(kind, reply, self.AGAIN, HEALTHY) == expected, (kind, reply)

    def test_counts_for_nothing_unless_health_is_good_before_and_after(self) -> None:
        for history, around in product((FRESH, self.AGAIN), NOT_HEALTHY):
            outcome = outcome_of(OperationKind.CAPTURE, self.DISAGREES, history, around)
            assert isinstance(outcome, InDoubt), (history, around)
            assert outcome.verdict is None, (history, around)

    def test_earlier_on_does_not_stand_in_the_way_of_another_answer(self) -> None:
        history = History(any_in_doubt=True, contradicted=True, done_by_others=True)
        assert spelled(outcome_of(OperationKind.CAPTURE, APPROVED, history, HEALTHY)) == SUCCEEDED
        assert spelled(outcome_of(OperationKind.CAPTURE, Silence("x"), history, HEALTHY)) == DOUBT


class TestAProbe:
    """Always of an authorize, and always after a doubt."""

    BEFORE = AFTER_SILENCE
    AGAIN = History(any_in_doubt=True, silent=1, probed_negative=True)
    NO_SUCH_CARD = says(Said.INVALID_CARD)

    def outcome(self, reply: Reply, history: History = BEFORE, around: Checks = HEALTHY) -> Outcome:
        return outcome_of(OperationKind.AUTHORIZE, reply, history, around, probe=True)

    def test_finds_the_stored_reply_which_awaits_nothing(self) -> None:
        assert self.outcome(REPLAYED) == Succeeded("ref", expires_at=EXPIRES_AT)

    def test_finds_the_answer_to_one_of_several_silent_attempts_which_awaits_the_statement(self) -> None:
        expected = Succeeded("ref", strays_awaited=1, expires_at=EXPIRES_AT)
        assert self.outcome(REPLAYED, AFTER_SILENCES) == expected

    def test_that_holds_money_contradicts_us(self) -> None:
        for history in (AFTER_DOUBT, AFTER_SILENCE, AFTER_SILENCES):
            first = self.outcome(APPROVED, history)
            assert isinstance(first, InDoubt)
            assert first.verdict is Verdict.CONTRADICTION
        again = self.outcome(APPROVED, History(any_in_doubt=True, contradicted=True))
        assert again == NeedsReview(ReviewReason.CONTRADICTION, Verdict.CONTRADICTION)

    def test_is_negative_where_a_healthy_bank_knows_no_such_card(self) -> None:
        outcome = self.outcome(self.NO_SUCH_CARD)
        verdict = Verdict.NEGATIVE_PROBE
        assert outcome == InDoubt("negative probe", retry=False, retry_after=600.0, verdict=verdict)

    def test_twice_negative_is_not_executed_and_awaits_the_statement(self) -> None:
        outcome = self.outcome(self.NO_SUCH_CARD, self.AGAIN)
        assert isinstance(outcome, NotExecuted)
        assert (outcome.strays_awaited, outcome.verdict) == (1, Verdict.NEGATIVE_PROBE)
        assert (outcome.reason, outcome.code) == ("two negative probes", "not_found_at_bank")

    def test_counts_for_nothing_unless_health_is_good_before_and_after(self) -> None:
        for history, around in product((self.BEFORE, self.AGAIN), NOT_HEALTHY):
            outcome = self.outcome(self.NO_SUCH_CARD, history, around)
            assert isinstance(outcome, InDoubt), (history, around)
            assert (outcome.verdict, outcome.retry) == (None, False), (history, around)

    def test_with_any_other_reply_leaves_the_doubt_and_counts_for_nothing(self) -> None:
        replies = (
            *(says(said) for said in sorted(DENIALS - {Said.INVALID_CARD})),
            *(NotDone(500, "internal_error"), Silence("400 internal_error", 400), Silence("timeout")),
            *(Mismatch(200, "another amount than sent"), NotSent("refused")),
        )
        contradicted = History(any_in_doubt=True, contradicted=True)
        for reply, history in product(replies, (self.BEFORE, self.AGAIN, contradicted)):
            outcome = self.outcome(reply, history)
            assert isinstance(outcome, InDoubt), (reply, history)
            assert outcome.verdict is None, (reply, history)

    def test_that_finds_nothing_proves_nothing_once_the_bank_may_have_forgotten(self) -> None:
        replies = (
            *(self.NO_SUCH_CARD, Silence("timeout"), NotSent("refused")),
            NotDone(500, "internal_error"),
        )
        for reply, around, history in product(replies, (HEALTHY, *NOT_HEALTHY), (self.BEFORE, self.AGAIN)):
            outcome = self.outcome(reply, replace(history, may_be_forgotten=True), around)
            assert outcome == NeedsReview(ReviewReason.TOO_OLD_TO_ASK), (reply, around, history)

    def test_finds_what_the_bank_has_not_forgotten_at_any_age(self) -> None:
        found = self.outcome(REPLAYED, replace(self.BEFORE, may_be_forgotten=True))
        assert found == Succeeded("ref", expires_at=EXPIRES_AT)

    def test_asks_for_health_where_it_counts(self) -> None:
        def decides(reply: Reply, *, before: bool | None) -> bool:
            meaning = meaning_of(OperationKind.AUTHORIZE, reply, AFTER_DOUBT, probe=True)
            return health_decides(meaning, Checks(healthy_before=before))

        for reply in (self.NO_SUCH_CARD, APPROVED):
            assert decides(reply, before=True)
            assert not decides(reply, before=False)
        assert not decides(REPLAYED, before=True)
        assert not decides(BankError(Said.BANK_ERROR, 400, "amount_mismatch"), before=True)
