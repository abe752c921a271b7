"""What must hold for every sequence of replies to the attempts of one operation, probes among them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from payments.domain.meanings import ABOUT_THE_CARD, DECLINES, says_already
from payments.domain.outcomes import (
    Checks,
    Declined,
    Final,
    History,
    InDoubt,
    NeedsReview,
    NotExecuted,
    Outcome,
    Rejected,
    ReviewReason,
    Succeeded,
    Verdict,
    leaves_doubt,
    outcome_of,
)
from payments.domain.replies import (
    ALREADY_DONE,
    DENIALS,
    ISSUERS,
    Approval,
    BankError,
    Decline,
    Mismatch,
    NotDone,
    NotSent,
    Reply,
    Said,
    Silence,
    is_silent,
)
from payments.domain.states import OperationKind

REPLIES: st.SearchStrategy[Reply] = st.one_of(
    st.builds(NotSent, st.just("nothing sent")),
    st.builds(Silence, st.just("silence"), st.sampled_from([None, 200, 302]), is_over=st.booleans()),
    st.builds(Approval, st.just(200), st.just("ref"), st.booleans()),
    st.builds(Decline, st.sampled_from(sorted(ISSUERS)), st.just(400)),
    st.builds(BankError, st.sampled_from(sorted(DENIALS - ISSUERS)), st.just(400)),
    st.builds(NotDone, st.just(500)),
    # What matters most comes often enough to be repeated.
    st.builds(Decline, st.just(Said.INVALID_CARD), st.just(400)),
    st.builds(BankError, st.sampled_from([Said.ALREADY_VOIDED, Said.ALREADY_REFUNDED]), st.just(400)),
    st.builds(Mismatch, st.just(200), st.just("another amount than sent")),
)


@dataclass(frozen=True)
class Asked:
    """An attempt, and what is found out about it."""

    reply: Reply
    around: Checks
    by_probe: bool  # where there is something to probe: an authorize in doubt
    much_later: bool  # than all before: what they count as may be repeated


UNSURE = st.sampled_from([True, True, False, None])
STEPS = st.lists(
    st.builds(Asked, REPLIES, st.builds(Checks, UNSURE, UNSURE, UNSURE), st.booleans(), st.booleans()),
    min_size=1,
    max_size=8,
)


@dataclass(frozen=True)
class Step:
    before: History
    reply: Reply
    around: Checks
    is_probe: bool
    outcome: Outcome


def played(kind: OperationKind, steps: list[Asked]) -> list[Step]:
    """The attempts of one operation, one after the other, until it has an outcome."""
    return list(_played(kind, steps))


def _played(kind: OperationKind, steps: list[Asked]) -> Iterator[Step]:
    history = History()
    contradicted = probed_negative = False  # a short while ago
    for asked in steps:
        if asked.much_later:
            history = replace(history, contradicted=contradicted, probed_negative=probed_negative)
        is_probe = asked.by_probe and history.any_in_doubt and kind is OperationKind.AUTHORIZE
        outcome = outcome_of(kind, asked.reply, history, asked.around, probe=is_probe)
        yield Step(history, asked.reply, asked.around, is_probe, outcome)
        if not isinstance(outcome, InDoubt) and not isinstance(asked.reply, NotSent):
            return
        if not is_probe:
            history = history.after(asked.reply, outcome)
            if not isinstance(asked.reply, NotSent):
                history, probed_negative = replace(history, probed_negative=False), False
        verdict = outcome.verdict if isinstance(outcome, InDoubt) else None
        contradicted = contradicted or verdict is Verdict.CONTRADICTION
        probed_negative = probed_negative or verdict is Verdict.NEGATIVE_PROBE


def no_final_outcome_comes_from_silence(kind: OperationKind, taken: list[Step]) -> None:
    for step in taken:
        if isinstance(step.reply, Silence):
            assert isinstance(step.outcome, InDoubt)
            assert leaves_doubt(step.reply, step.outcome)


def not_executed_needs_that_nothing_was_sent_or_two_negative_probes(
    kind: OperationKind, taken: list[Step]
) -> None:
    for number, step in enumerate(taken):
        if not isinstance(step.outcome, NotExecuted):
            continue
        earlier = taken[:number]
        assert (step.outcome.strays_awaited > 0) is step.is_probe
        if not step.is_probe:
            assert isinstance(step.reply, NotSent)
            assert not any(leaves_doubt(other.reply, other.outcome) for other in earlier)
            continue
        sent = [at for at, other in enumerate(earlier) if not other.is_probe and _was_sent(other)]
        since = [other for other in earlier[sent[-1] :] if other.is_probe]
        assert any(_is_negative_probe(other) for other in since)
        assert _is_negative_probe(step)


def people_are_asked_about_a_contradiction_that_a_healthy_bank_has_repeated(
    kind: OperationKind, taken: list[Step]
) -> None:
    for number, step in enumerate(taken):
        if step.outcome == NeedsReview(ReviewReason.CONTRADICTION, Verdict.CONTRADICTION):
            counted = [
                other
                for other in taken[:number]
                if isinstance(other.outcome, InDoubt) and other.outcome.verdict is Verdict.CONTRADICTION
            ]
            assert counted
            assert all(other.around.healthy_around for other in (*counted, step))


def what_is_awaited_of_the_statement_is_every_silent_attempt_that_no_answer_is_about(
    kind: OperationKind, taken: list[Step]
) -> None:
    if kind is not OperationKind.AUTHORIZE:
        return
    for number, step in enumerate(taken):
        silent_before = sum(is_silent(other.reply) for other in taken[:number] if not other.is_probe)
        match step.outcome:
            case Declined(strays_awaited=strays):
                assert strays == silent_before
            case Succeeded(strays_awaited=strays):
                assert isinstance(step.reply, Approval)
                assert strays == max(0, silent_before - step.reply.replayed)
            case NotExecuted(strays_awaited=strays) if step.is_probe:
                assert strays == max(1, silent_before)


def an_approval_of_ours_succeeds_and_nothing_else_unless_it_is_deduced(
    kind: OperationKind, taken: list[Step]
) -> None:
    for step in taken:
        if isinstance(step.reply, Approval):
            assert isinstance(step.outcome, Succeeded) == (step.reply.replayed or not step.is_probe)
        elif isinstance(step.outcome, Succeeded):
            assert step.outcome == Succeeded("")
            assert step.reply.said in ALREADY_DONE


def nothing_is_deduced_unless_an_attempt_of_ours_may_have_done_it_and_nobody_else(
    kind: OperationKind, taken: list[Step]
) -> None:
    for number, step in enumerate(taken):
        taken_for_ours = step.outcome in (
            Succeeded(""),
            NeedsReview(ReviewReason.CAPTURE_ID_UNKNOWN),
        )
        if taken_for_ours:
            assert step.around.earlier_answered
            earlier = taken[:number]
            silent = [at for at, other in enumerate(earlier) if is_silent(other.reply)]
            said = [at for at, other in enumerate(earlier) if says_already(other.reply.said)]
            assert silent
            assert not said or silent[0] < said[0]


def a_decline_is_taken_unless_a_call_of_ours_may_be_the_reason(
    kind: OperationKind, taken: list[Step]
) -> None:
    if kind is not OperationKind.AUTHORIZE:
        return
    for step in taken:
        if isinstance(step.outcome, Declined):
            assert step.outcome.code in ABOUT_THE_CARD or not step.before.may_be_alive


def a_probe_says_what_is_stored_and_no_more(kind: OperationKind, taken: list[Step]) -> None:
    if kind is not OperationKind.AUTHORIZE:
        return
    for step in taken:
        if step.is_probe:
            assert not isinstance(step.outcome, Declined | Rejected)
            if isinstance(step.outcome, Succeeded):
                assert isinstance(step.reply, Approval)
                assert step.reply.replayed


def only_an_authorize_is_declined_and_only_a_capture_rejected(kind: OperationKind, taken: list[Step]) -> None:
    for step in taken:
        if isinstance(step.outcome, Declined):
            assert kind is OperationKind.AUTHORIZE
            assert step.outcome.code in DECLINES
        if isinstance(step.outcome, Rejected):
            assert kind is OperationKind.CAPTURE


def a_release_is_never_given_up(kind: OperationKind, taken: list[Step]) -> None:
    if kind is not OperationKind.RELEASE:
        return
    for step in taken:
        assert isinstance(step.outcome, Succeeded | InDoubt | NeedsReview)


def a_doubt_is_never_forgotten(kind: OperationKind, taken: list[Step]) -> None:
    for step in taken:
        after = step.before.after(step.reply, step.outcome)
        assert after.any_in_doubt >= step.before.any_in_doubt
        assert after.silent in (step.before.silent, step.before.silent + 1)
        assert (after.silent > 0) <= after.any_in_doubt
        assert after.may_be_alive >= step.before.may_be_alive
        assert after.done_by_others >= step.before.done_by_others
        if isinstance(step.reply, NotSent):
            assert after == step.before


def an_attempt_that_was_sent_and_settled_nothing_leaves_doubt(kind: OperationKind, taken: list[Step]) -> None:
    for step in taken:
        settled = isinstance(step.outcome, Final)
        assert leaves_doubt(step.reply, step.outcome) == (_was_sent(step) and not settled)


PROPERTIES = (
    no_final_outcome_comes_from_silence,
    not_executed_needs_that_nothing_was_sent_or_two_negative_probes,
    people_are_asked_about_a_contradiction_that_a_healthy_bank_has_repeated,
    what_is_awaited_of_the_statement_is_every_silent_attempt_that_no_answer_is_about,
    an_approval_of_ours_succeeds_and_nothing_else_unless_it_is_deduced,
    nothing_is_deduced_unless_an_attempt_of_ours_may_have_done_it_and_nobody_else,
    a_decline_is_taken_unless_a_call_of_ours_may_be_the_reason,
    a_probe_says_what_is_stored_and_no_more,
    only_an_authorize_is_declined_and_only_a_capture_rejected,
    a_release_is_never_given_up,
    a_doubt_is_never_forgotten,
    an_attempt_that_was_sent_and_settled_nothing_leaves_doubt,
)


@settings(max_examples=3 * settings.default.max_examples)
@given(STEPS)
def test_every_sequence_of_replies_keeps_the_rules(steps: list[Asked]) -> None:
    for kind in OperationKind:
        taken = played(kind, steps)
        for holds in PROPERTIES:
            holds(kind, taken)


@given(REPLIES, st.booleans(), st.integers(0, 2))
def test_more_doubt_never_makes_an_outcome_more_certain(reply: Reply, healthy: bool, silent: int) -> None:
    around = Checks(healthy_after=healthy)
    certain = outcome_of(OperationKind.AUTHORIZE, reply, History(), around)
    after_doubt = History(any_in_doubt=True, silent=silent)
    doubtful = outcome_of(OperationKind.AUTHORIZE, reply, after_doubt, around)
    if isinstance(certain, InDoubt):
        assert isinstance(doubtful, InDoubt)


def _was_sent(step: Step) -> bool:
    return not isinstance(step.reply, NotSent)


def _is_negative_probe(step: Step) -> bool:
    said = step.reply.said is Said.INVALID_CARD
    return step.is_probe and said and step.around.healthy_around
