"""Replies: what is kept of one as evidence, and what its word says of an operation."""

from payments.domain.meanings import (
    Meaning,
    ReplyKind,
    kind_of_reply,
    says_already,
    says_done,
    says_done_already,
    words_for_done,
)
from payments.domain.outcomes import (
    Checks,
    History,
    InDoubt,
    NeedsReview,
    NotExecuted,
    Outcome,
    ReviewReason,
    Succeeded,
    earlier_ones_decide,
    outcome_of,
)
from payments.domain.replies import (
    Approval,
    BankError,
    Decline,
    Mismatch,
    NotDone,
    NotSent,
    Reply,
    Said,
    Silence,
    evidence_of,
)
from payments.domain.states import OperationKind
from tests.domain.outcome_words import AFTER_SILENCE, FRESH, UNKNOWN

AUTHORIZE, CAPTURE = OperationKind.AUTHORIZE, OperationKind.CAPTURE
VOID, REFUND, RELEASE = OperationKind.VOID, OperationKind.REFUND, OperationKind.RELEASE


class TestEvidence:
    def test_is_our_word_and_the_banks_status_code_and_reference(self) -> None:
        for reply, evidence in (
            (NotSent("connection failed"), {"said": "not_sent", "reply": "connection failed"}),
            (Silence("timeout"), {"said": "silence", "reply": "timeout"}),
            (Silence("unreadable", 200), {"said": "silence", "reply": "unreadable", "status": 200}),
            (NotDone(500, "oops"), {"said": "not_done", "reply": "500 oops", "status": 500}),
            (
                Approval(200, "ref", replayed=True),
                {"said": "approved", "reply": "200 replayed", "status": 200}
                | {"reference": "ref", "replayed": True},
            ),
            (
                Decline(Said.DECLINED, 402),
                {"said": "declined", "reply": "402 declined", "status": 402},
            ),
            (
                BankError(Said.BANK_ERROR, 400, "amount_mismatch"),
                {"said": "bank_error", "reply": "400 amount_mismatch", "status": 400},
            ),
            (Mismatch(200, "another"), {"said": "mismatch", "reply": "200 another", "status": 200}),
        ):
            assert evidence_of(reply) == evidence

    def test_is_short_whatever_the_bank_sends(self) -> None:
        assert evidence_of(Silence("x" * 201))["reply"] == "x" * 200


class TestAWordForDone:
    WORDS = {  # noqa: RUF012
        AUTHORIZE: [],
        CAPTURE: [Said.ALREADY_USED, Said.ALREADY_CAPTURED],
        VOID: [Said.ALREADY_USED, Said.ALREADY_VOIDED],
        REFUND: [Said.ALREADY_REFUNDED],
        RELEASE: [Said.ALREADY_USED, Said.ALREADY_VOIDED],
    }

    def test_is_one_for_each_kind_that_the_bank_may_find_done(self) -> None:
        assert {kind: words_for_done(kind) for kind in OperationKind} == self.WORDS

    def test_is_said_now_or_earlier(self) -> None:
        for kind, words in self.WORDS.items():
            assert [said for said in Said if says_done_already(kind, said)] == words
            assert [said for said in Said if says_done(kind, said)] == [Said.APPROVED, *words]

    def test_says_already_whatever_was_asked(self) -> None:
        assert [said for said in Said if says_already(said)] == [
            *(Said.ALREADY_USED, Said.ALREADY_CAPTURED, Said.ALREADY_VOIDED, Said.ALREADY_REFUNDED)
        ]

    def test_depends_on_how_the_earlier_operations_ended(self) -> None:
        decided = [meaning for meaning in Meaning if earlier_ones_decide(meaning)]
        assert decided == [Meaning.DEDUCED, Meaning.CAPTURED_ID_UNKNOWN]


class TestDoneAlready:
    """After a silence of ours: what is deduced, and what only people can find out."""

    def outcome(self, kind: OperationKind, said: Said, *, earlier_answered: bool | None) -> Outcome:
        around = Checks(earlier_answered=earlier_answered)
        return outcome_of(kind, BankError(said, 400), AFTER_SILENCE, around)

    def test_is_a_success_without_a_reference_where_nothing_else_can_have_done_it(self) -> None:
        for kind, said in (
            (VOID, Said.ALREADY_USED),
            (VOID, Said.ALREADY_VOIDED),
            (RELEASE, Said.ALREADY_VOIDED),
            (REFUND, Said.ALREADY_REFUNDED),
        ):
            assert self.outcome(kind, said, earlier_answered=True) == Succeeded("")
            for unsure in (False, None):
                outcome = self.outcome(kind, said, earlier_answered=unsure)
                assert outcome == NeedsReview(ReviewReason.NOT_DEDUCIBLE), (kind, said, unsure)

    def test_of_a_capture_is_for_people_because_its_id_is_unknown(self) -> None:
        for said in (Said.ALREADY_USED, Said.ALREADY_CAPTURED):
            known = self.outcome(CAPTURE, said, earlier_answered=True)
            assert known == NeedsReview(ReviewReason.CAPTURE_ID_UNKNOWN)
            for unsure in (False, None):
                outcome = self.outcome(CAPTURE, said, earlier_answered=unsure)
                assert outcome == NeedsReview(ReviewReason.NOT_DEDUCIBLE), (said, unsure)


class TestTheRow:
    def test_of_an_approval_depends_on_the_silent_attempts_before_it(self) -> None:
        anew, replayed = Approval(200, "ref", replayed=False), Approval(200, "ref", replayed=True)
        assert kind_of_reply(anew) is ReplyKind.APPROVED
        assert kind_of_reply(anew, silent=1) is ReplyKind.APPROVED_ANEW_AFTER_SILENCE
        assert [kind_of_reply(replayed, silent=silent) for silent in (0, 1, 2)] == [
            *(ReplyKind.APPROVED, ReplyKind.APPROVED, ReplyKind.REPLAYED_AFTER_SILENCES)
        ]

    def test_of_done_already_is_its_own_only_where_it_may_be_ours(self) -> None:
        voided = BankError(Said.ALREADY_VOIDED, 400)
        assert kind_of_reply(voided) is ReplyKind.ANYTHING_ELSE
        assert kind_of_reply(voided, may_be_ours=True) is ReplyKind.ALREADY_VOIDED_AFTER_SILENCE


class TestTheWordsForAnOutcome:
    """What a person and a log are told: short, and never empty."""

    def reason(self, reply: Reply, history: History = FRESH, *, probe: bool = False) -> tuple[str, bool]:
        outcome = outcome_of(AUTHORIZE, reply, history, UNKNOWN, probe=probe)
        assert isinstance(outcome, InDoubt)
        assert type(outcome.retry) is bool
        return outcome.reason, outcome.retry

    def test_say_why_it_is_in_doubt(self) -> None:
        no_such_card = Decline(Said.INVALID_CARD, 400)
        alive = History(any_in_doubt=True, silent=1, may_be_alive=True)
        poor = Decline(Said.INSUFFICIENT_FUNDS, 402)
        after_doubt = History(any_in_doubt=True)
        assert self.reason(no_such_card) == ("invalid_card from an unhealthy bank", True)
        assert self.reason(poor, alive) == ("insufficient_funds while a call of ours may be alive", False)
        assert self.reason(no_such_card, after_doubt, probe=True) == ("probed an unhealthy bank", False)
        assert self.reason(NotSent("x"), after_doubt) == ("an earlier attempt is in doubt", True)
        assert self.reason(Silence("timeout")) == ("timeout", True)

    def test_say_why_it_was_not_executed(self) -> None:
        unreachable = outcome_of(AUTHORIZE, NotSent("connection failed"), FRESH, UNKNOWN)
        assert unreachable == NotExecuted("connection failed", code="bank_unavailable")
        without_keys = History(cannot_ask=True)
        not_taken = outcome_of(AUTHORIZE, NotDone(503, "busy"), without_keys, UNKNOWN)
        assert not_taken == NotExecuted("503 busy", code="not_taken_by_bank")


class TestACallThatMayBeAlive:
    GAVE_UP = Silence("timeout", is_over=False)

    def test_is_remembered(self) -> None:
        outcome = outcome_of(AUTHORIZE, self.GAVE_UP, FRESH, UNKNOWN)
        assert isinstance(outcome, InDoubt)
        after = FRESH.after(self.GAVE_UP, outcome)
        assert after.may_be_alive
        over = Silence("lost")
        assert after.after(over, outcome_of(AUTHORIZE, over, after, UNKNOWN)).may_be_alive
        assert not FRESH.after(over, outcome_of(AUTHORIZE, over, FRESH, UNKNOWN)).may_be_alive

    def test_is_left_alone_whatever_the_kind(self) -> None:
        for kind in OperationKind:
            outcome = outcome_of(kind, self.GAVE_UP, FRESH, UNKNOWN)
            assert isinstance(outcome, InDoubt)
            assert not outcome.retry, kind
