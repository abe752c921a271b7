"""That nothing was executed, recorded by people: never without evidence."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection

from office.decisions import asking, resolve
from office.decisions.evidence import CannotResolve, Evidence
from office.log.staff import Staff
from payments.engine.conclude import Outdated
from payments.models import Event, Operation, Payment, Resolution
from reconciliation.services.audit import violations
from tests.office.decisions.cases import (
    MINUTES,
    contradicted,
    lost_capture,
    not_executed,
    on_no_statement,
    too_old,
    two_days_ago_at_noon,
)
from tests.support.api_client import ApiClient, order
from tests.support.simulated_bank import SimulatedBank
from tests.support.time_travel import let_pass

pytestmark = pytest.mark.usefixtures("brief")


class TestRecordingThatNothingWasExecuted:
    def test_ends_an_authorize_nobody_can_ask_about(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = too_old(live, bank)
        proposal = on_no_statement(operation, bank)
        assert resolve.propose(kim, proposal).resolution.state == "APPLIED"
        operation = Operation.objects.get(pk=operation.pk)
        assert (operation.state, operation.strays_awaited) == ("NOT_EXECUTED", 0)
        assert Payment.objects.get().state == "FAILED"
        # As whatever has FAILED: a hold may turn up late.
        assert operation.finished_at is not None
        assert operation.look_again_at == operation.finished_at + timedelta(hours=1)
        assert violations() == []

    def test_without_evidence_is_refused(self, live: ApiClient, bank: SimulatedBank, kim: Staff) -> None:
        operation = too_old(live, bank)
        with pytest.raises(CannotResolve, match="Choose the evidence"):
            resolve.propose(kim, not_executed(operation, ""))
        with pytest.raises(CannotResolve, match="Name the statement"):
            resolve.propose(kim, not_executed(operation, Evidence.STATEMENT))
        with pytest.raises(CannotResolve, match="Quote"):
            resolve.propose(kim, not_executed(operation, Evidence.BANK_WORD))
        with pytest.raises(CannotResolve, match="That reply does not prove it"):
            resolve.propose(kim, not_executed(operation, Evidence.BANK_REPLY))
        with pytest.raises(CannotResolve, match="That reply does not prove it"):
            resolve.propose(kim, not_executed(operation, Evidence.BANK_REPLY, attempt=1))
        assert Resolution.objects.count() == 0

    @pytest.mark.parametrize(
        ("first", "last", "why"),
        [(1, 1, "must cover"), (-1, -1, "must cover"), (0, 2, "is not over"), (0, 10**6, "is not over")],
    )
    def test_a_statement_that_does_not_cover_it_is_no_evidence(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, first: int, last: int, why: str
    ) -> None:
        operation = too_old(live, bank)
        day = two_days_ago_at_noon()
        wrong = replace(
            not_executed(operation, Evidence.STATEMENT, quote="statement 324"),
            covers_from=day + timedelta(days=first),
            covers_to=day + timedelta(days=last),
        )
        with pytest.raises(CannotResolve, match=why):
            resolve.propose(kim, wrong)
        right = replace(wrong, covers_from=day, covers_to=day)
        assert resolve.propose(kim, right).is_done

    def test_the_banks_answer_has_to_stand_on_the_timeline(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = contradicted(live, bank)
        answered = operation.attempts.exclude(verdict="").latest("number")
        assert answered.reply == "400 authorization_not_found"
        resolution = resolve.propose(
            kim, not_executed(operation, Evidence.BANK_REPLY, attempt=answered.number)
        ).resolution
        assert (resolution.state, resolution.attempt) == ("APPLIED", answered.number)
        ended = Operation.objects.get(pk=operation.pk)
        assert (ended.state, ended.outcome_code) == ("NOT_EXECUTED", "found_by_people")
        assert Event.objects.get(type="capture.not_executed").evidence["attempt"] == answered.number

    def test_an_answer_that_says_done_already_is_no_evidence(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = lost_capture(live, bank)
        assert operation.attempts.latest("number").reply == "400 authorization_already_used"
        for attempt in operation.attempts.all():
            with pytest.raises(CannotResolve, match="Record the reference of the capture"):
                resolve.propose(kim, not_executed(operation, Evidence.BANK_REPLY, attempt=attempt.number))

    def test_an_answer_is_worth_nothing_after_a_later_silence(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff
    ) -> None:
        operation = contradicted(live, bank)
        answered = operation.attempts.exclude(verdict="").latest("number")
        bank.clear_script()
        bank.script("captures", "drop_after", times=1000)
        said = asking.ask_again(kim, operation.pk, reason="once more")
        assert said.startswith("The bank was asked but did not reply clearly (")
        assert said.endswith("); the capture is NEEDS_REVIEW.")
        operation = Operation.objects.get(pk=operation.pk)
        let_pass(5 * MINUTES, bank)
        with pytest.raises(CannotResolve, match="That reply does not prove it"):
            resolve.propose(kim, not_executed(operation, Evidence.BANK_REPLY, attempt=answered.number))

    def test_seen_before_the_bank_was_asked_again_is_outdated(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = lost_capture(live, bank)
        proposal = not_executed(operation, Evidence.BANK_REPLY)
        asking.ask_again(lee, operation.pk, reason="once more")
        with pytest.raises(Outdated, match="asked about"):
            resolve.propose(kim, proposal)

    def test_while_the_bank_is_being_asked_is_refused(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        bank.hold("authorizations")
        live.post("/payments", order())
        operation = Operation.objects.get()
        word = not_executed(operation, Evidence.BANK_WORD, quote="No.")
        with pytest.raises(Outdated, match="right now"):
            resolve.propose(kim, word)
        assert not Resolution.objects.exists()

    def test_two_at_the_same_moment_do_it_once(
        self, live: ApiClient, bank: SimulatedBank, kim: Staff, lee: Staff
    ) -> None:
        operation = too_old(live, bank)
        outcomes: list[str] = []
        proposal = on_no_statement(operation, bank)

        def work(staff: Staff) -> None:
            try:
                outcomes.append(resolve.propose(staff, proposal).resolution.state)
            except (CannotResolve, Outdated):
                outcomes.append("no")
            finally:
                connection.close()

        both = [threading.Thread(target=work, args=(staff,)) for staff in (kim, lee)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        assert sorted(outcomes) == ["APPLIED", "no"]
        assert Event.objects.filter(type="payment.failed").count() == 1
