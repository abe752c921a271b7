"""The gateway is killed at every point of every operation, and nothing is lost, doubled or left open.

Each case kills a real server process at one point, looks at what it left half done in the books and at the
bank, starts a new process, lets time pass, and has recovery and the merchant's retry (with the same key) end
the matter, in either order. Then the bank's ledger holds exactly what the receipts claim, and the audit of
our own books finds nothing.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings

from payments.models import Operation
from payments.usecases.recovery import recover_due
from reconciliation.services.audit import violations
from tests.adversity.crash.case import WITHIN, Case
from tests.adversity.crash.points import (
    CAREFUL,
    DIFFERENT_DOUBTS,
    IN_DOUBT,
    INSTRUCTIONS,
    NOT_EXECUTED,
    REMAINS,
)
from tests.support.bank_books import disagreements, stray_holds
from tests.support.time_travel import let_pass


class TestAGatewayKilled:
    def test_before_its_intent_is_committed_has_done_nothing_and_the_retry_begins(self, case: Case) -> None:
        case.kill_gateway("intent uncommitted")
        assert case.remains() == REMAINS["intent uncommitted"]
        assert recover_due(within=WITHIN) == 0
        answer = case.ask()
        assert answer.status == case.instruction.status
        assert "Idempotent-Replayed" not in answer.headers
        case.assert_at_rest(answer)

    def test_after_its_outcome_is_committed_has_done_all_but_answer(self, case: Case) -> None:
        case.kill_gateway("unanswered")
        assert case.remains() == REMAINS["unanswered"]
        assert recover_due(within=WITHIN) == 0
        answer = case.ask()
        assert answer.status == case.instruction.status
        case.assert_at_rest(answer)
        assert len(case.calls()) == 1

    @pytest.mark.parametrize("point", IN_DOUBT)
    def test_in_between_leaves_a_doubt_that_recovery_ends_before_the_client_asks_again(
        self, case: Case, point: str
    ) -> None:
        case.kill_gateway(point)
        assert case.remains() == REMAINS[point]
        assert recover_due(within=WITHIN) == 0  # the lease of the dead still runs
        assert case.remains() == REMAINS[point]
        case.let_bank_finish()

        # Without its card an authorize that the bank has not seen takes two probes to be given up.
        is_given_up = case.instruction.kind == "authorize" and point in NOT_EXECUTED
        assert case.recover() == (2 if is_given_up else 1)
        answer = case.ask()
        assert answer.status == case.instruction.status
        assert answer.headers.get("Idempotent-Replayed") == (None if is_given_up else "true")
        # Two denials are no proof: the bank's statement has the last word on the payment given up.
        given_up = 1 if is_given_up else 0
        case.assert_at_rest(answer, failed=given_up, awaiting_statement=given_up)

    def test_in_the_outcome_of_a_second_attempt_leaves_a_doubt_that_recovery_ends(self, case: Case) -> None:
        case.bank.script(case.instruction.endpoint, "fail_before", times=1)
        case.kill_gateway(CAREFUL)
        assert case.remains() == replace(
            REMAINS["outcome uncommitted"], attempts=("answered", ""), calls=("answered", "answered")
        )
        assert recover_due(within=WITHIN) == 0
        assert case.recover() == 1
        answer = case.ask()
        assert answer.status == case.instruction.status
        case.assert_at_rest(answer)

    @pytest.mark.parametrize("point", DIFFERENT_DOUBTS)
    def test_in_between_leaves_a_doubt_about_which_the_client_asks_before_recovery_has_run(
        self, case: Case, point: str
    ) -> None:
        case.kill_gateway(point)
        assert case.remains() == REMAINS[point]
        calls = len(case.calls())
        early = case.ask()
        assert (early.status, early.json["code"]) == (409, "idempotency_key_in_use")
        let_pass(timedelta(seconds=settings.BANK_TIMING.client_wait), case.bank)
        told = case.ask()
        assert (told.status, told.json["pending_operation"]) == (202, case.instruction.kind)
        assert told.json["money_moved"] == "unknown"
        assert not case.is_ready_to_ship()
        assert len(case.calls()) == calls  # while the lease runs, nobody sends
        case.let_bank_finish()

        let_pass(timedelta(seconds=settings.BANK_TIMING.lease), case.bank)
        answer = case.ask()
        if case.instruction.kind != "authorize":  # the retry of an authorize brings the card: it goes on
            assert (answer.status, answer.json["pending_operation"]) == (202, case.instruction.kind)
            assert len(case.calls()) == calls
            assert case.recover() == 1
            answer = case.ask()
        assert answer.status == case.instruction.status
        assert answer.json["id"] == told.json["id"]
        assert len(case.calls()) == calls + 1
        # A hold made only now, after an attempt of which nothing is known, may be the second one.
        is_new_hold = case.instruction.kind == "authorize" and point in NOT_EXECUTED
        case.assert_at_rest(answer, awaiting_statement=1 if is_new_hold else 0)


@pytest.mark.parametrize("instruction", INSTRUCTIONS[:1], ids=str, indirect=True)
class TestAGatewayKilledTwice:
    def test_leaves_a_second_hold_that_only_the_banks_statement_can_show_and_expects_it(
        self, case: Case
    ) -> None:
        """The answer that the bank has stored by then is the second attempt's; the first made a hold, too."""
        case.kill_gateway("at the bank, which forgets its answer")
        case.bank.release()
        let_pass(timedelta(seconds=settings.BANK_TIMING.lease), case.bank)
        case.kill_gateway("unrecorded")
        assert case.remains() == replace(
            REMAINS["unrecorded"], attempts=("", ""), calls=("caller hung up", "answered"), entries=2
        )
        assert case.recover() == 1
        assert case.ask().json["bank"]["authorization_id"] == case.bank.ledger()[1].id
        operation = Operation.objects.get()
        assert (operation.state, operation.awaiting_statement) == ("SUCCEEDED", True)
        assert [hold.id for hold in stray_holds(case.bank)] == [case.bank.ledger()[0].id]
        assert disagreements(case.bank, settled=True) == []
        assert violations() == []
