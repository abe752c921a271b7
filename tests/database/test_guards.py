"""What somebody with a database console may not do: whatever no code of ours does, the database refuses."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from payments.domain.ids import new_id
from payments.domain.states import Mode, OperationKind, OperationState, PaymentState
from payments.models import (
    ApiRequest,
    Assignment,
    Attempt,
    Discrepancy,
    Event,
    IdempotencyKey,
    Operation,
    Payment,
    Resolution,
)
from tests.database.sql import execute, one_by_one, refuses, update
from tests.support.factories import (
    AttemptFactory,
    IdempotencyKeyFactory,
    MerchantFactory,
    OperationFactory,
    PaymentFactory,
)
from tests.support.unguarded import unguarded

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
SUCCEEDED, OPEN, REVIEW = OperationState.SUCCEEDED, OperationState.OPEN, OperationState.NEEDS_REVIEW


def judge_at_once() -> None:
    """What the commit would judge."""
    execute("SET CONSTRAINTS ALL IMMEDIATE")


def new_operation(payment: Payment | None, kind: OperationKind, **fields: Any) -> Operation:
    """Inserted as the application does, guards and all."""
    known = {
        "payment": payment,
        "kind": kind,
        "bank": "ficmart",
        "amount_minor": 5000,
        "currency": "USD",
        "bank_idempotency_key": new_id().hex,
        "lease_epoch": 0 if kind is OperationKind.RELEASE else 1,
        "lease_expires_at": datetime.now(UTC) + timedelta(seconds=45),
        "actor": "api_key:1",
    }
    return Operation.objects.create(**known | fields)


def proposed(operation: Operation | None, **fields: Any) -> Resolution:
    by, _ = User.objects.get_or_create(username="kim")
    known = {
        "kind": "record_not_executed",
        "operation": operation,
        "payment": operation.payment if operation else None,
        "bank": "ficmart",
        "amount_minor": 5000,
        "currency": "USD",
        "reason": "they wrote",
        "proposed_by": by,
    }
    return Resolution.objects.create(**known | fields)


def apply(resolution: Resolution) -> None:
    decided = {"decided_by_id": resolution.proposed_by_id, "decided_at": datetime.now(UTC)}
    assert update(resolution, state="APPLIED", **decided) == 1


class TestAnInstruction:
    def test_at_another_bank_or_in_another_currency_is_refused(self) -> None:
        for other in one_by_one([{"currency": "EUR"}, {"bank": "sandbox"}]):
            payment = PaymentFactory(authorized=True, bank_authorization_id="auth_1")
            with refuses("its bank and currency are its payment's"):
                new_operation(payment, OperationKind.CAPTURE, target_reference="auth_1", **other)

    def test_of_more_than_there_is_is_refused(self) -> None:
        for kind, amount, because in one_by_one(
            [
                (OperationKind.VOID, 4999, "it is about its payment's whole amount"),
                (OperationKind.VOID, 5001, "it is about its payment's whole amount"),
                (OperationKind.CAPTURE, 5001, "no more is captured than was authorized"),
                (OperationKind.REFUND, 3371, "no more is refunded than is left"),
            ]
        ):
            state = PaymentState.CAPTURED if kind is OperationKind.REFUND else PaymentState.AUTHORIZED
            payment = PaymentFactory(state=state, captured_minor=4370, refunded_minor=1000)
            target = payment.bank_capture_id or payment.bank_authorization_id
            with refuses(because):
                new_operation(payment, kind, target_reference=target, amount_minor=amount)
            if kind is not OperationKind.VOID:
                assert new_operation(payment, kind, target_reference=target, amount_minor=amount - 1).pk

    def test_under_another_instructions_bank_key_is_refused(self) -> None:
        payment = PaymentFactory(captured=True, bank_capture_id="cap_1")
        known = {"bank_idempotency_key": "k", "target_reference": "cap_1"}
        OperationFactory(payment=payment, kind=OperationKind.REFUND, not_executed=True, **known)
        with refuses("its bank key is another instruction's"):
            new_operation(payment, OperationKind.REFUND, **known, amount_minor=4999)
        assert new_operation(payment, OperationKind.REFUND, **known).pk

    def test_is_for_a_payment_in_its_state_and_for_what_it_has_at_the_bank(self) -> None:
        for kind, state, target in one_by_one(
            [
                (OperationKind.AUTHORIZE, PaymentState.PENDING, ""),
                (OperationKind.CAPTURE, PaymentState.AUTHORIZED, "auth_1"),
                (OperationKind.VOID, PaymentState.AUTHORIZED, "auth_1"),
                (OperationKind.REFUND, PaymentState.CAPTURED, "cap_1"),
            ]
        ):
            known = {"bank_authorization_id": "auth_1", "bank_capture_id": "cap_1"}
            for other in PaymentState:
                if other is not state:
                    held = known | {"bank_authorization_id": f"auth_{other}"}
                    aim = {"target_reference": target.replace("auth_1", f"auth_{other}")}
                    with refuses("only"):
                        new_operation(PaymentFactory(state=other, **held), kind, **aim)
            payment = PaymentFactory(state=state, **known)
            with refuses("only"):
                new_operation(payment, kind, target_reference="another")
            assert new_operation(payment, kind, target_reference=target).pk

    def test_under_another_merchants_key_is_refused(self) -> None:
        payment, operation_id = PaymentFactory(), new_id()
        another = MerchantFactory(slug="another")
        with refuses("its idempotency key is another merchant's"):
            IdempotencyKey.objects.create(
                merchant=another, mode=Mode.LIVE, key="k", operation_id=operation_id
            )
            new_operation(payment, OperationKind.AUTHORIZE, id=operation_id)

    def test_begins_without_an_outcome(self) -> None:
        for fields in one_by_one(
            [
                {"bank_reference": "auth_1"},
                {"outcome_code": "x"},
                {"strays_awaited": 1},
                {"look_again_at": NOW},
                {"lease_epoch": 7},
            ]
        ):
            with refuses("it begins without an outcome|its lease begins with the first epoch"):
                new_operation(PaymentFactory(), OperationKind.AUTHORIZE, **fields)


class TestARelease:
    def test_of_a_live_payments_hold_is_refused(self) -> None:
        for state in (PaymentState.AUTHORIZED, PaymentState.CAPTURED):
            payment = PaymentFactory(state=state)
            hold = payment.bank_authorization_id
            with refuses("there is no reason to free auth_.*"):
                release = new_operation(payment, OperationKind.RELEASE, target_reference=hold)
                Discrepancy.objects.create(kind="late_hold", operation=release, payment=payment)
                judge_at_once()

    def test_of_nobodys_hold_needs_people_who_have_found_it(self) -> None:
        with refuses("there is no reason to free auth_stray"):
            new_operation(None, OperationKind.RELEASE, target_reference="auth_stray")
            judge_at_once()
        apply(proposed(None, kind="void_hold", reference="auth_stray"))
        new_operation(None, OperationKind.RELEASE, target_reference="auth_stray")
        judge_at_once()

    def test_of_a_hold_that_has_run_out_is_taken(self) -> None:
        payment = PaymentFactory(expired=True)
        new_operation(payment, OperationKind.RELEASE, target_reference=payment.bank_authorization_id)
        judge_at_once()

    def test_of_a_late_hold_is_taken_with_its_case(self) -> None:
        payment = PaymentFactory(failed=True)
        release = new_operation(payment, OperationKind.RELEASE, target_reference="auth_late")
        Discrepancy.objects.create(kind="late_hold", operation=release, payment=payment)
        judge_at_once()


class TestAnOutcome:
    """Terminal states need evidence, and the evidence is stored."""

    def _end(self, operation: Operation, state: str, **columns: Any) -> int:
        return update(operation, state=state, finished_at=NOW, **columns)

    def test_is_not_made_up(self) -> None:
        for unfinished in one_by_one([OPEN, REVIEW]):
            for state, columns in (
                ("SUCCEEDED", {"bank_reference": "auth_1"}),
                ("DECLINED", {"outcome_code": "insufficient_funds"}),
                ("REJECTED", {"outcome_code": "authorization_expired"}),
            ):
                operation = OperationFactory(state=unfinished)
                with refuses(f"no evidence that it is {state}"):
                    self._end(operation, state, **columns)
                AttemptFactory(operation=operation, silent=True)
                with refuses(f"no evidence that it is {state}"):
                    self._end(operation, state, **columns)

    def test_under_review_needs_an_attempt_that_has_ended(self) -> None:
        operation = OperationFactory()
        AttemptFactory(operation=operation, unended=True)
        with refuses("no evidence that it is NEEDS_REVIEW"):
            update(operation, state="NEEDS_REVIEW")

    def test_has_the_reference_that_the_bank_has_named(self) -> None:
        operation = OperationFactory()
        AttemptFactory(operation=operation, bank_reference="auth_1")
        for reference in ("auth_2", ""):
            with refuses("no evidence that it is SUCCEEDED|its hold has a reference"):
                self._end(operation, "SUCCEEDED", bank_reference=reference)
        assert self._end(operation, "SUCCEEDED", bank_reference="auth_1") == 1

    def test_of_silence_is_never_not_executed(self) -> None:
        for result in ("", Attempt.Result.SILENT):
            operation = OperationFactory()
            AttemptFactory(operation=operation, result=result)
            AttemptFactory(operation=operation, number=2, not_sent=True)
            AttemptFactory(
                operation=operation, number=3, said="invalid_card", is_probe=True, verdict="negative_probe"
            )
            with refuses("no evidence that it is NOT_EXECUTED"):
                self._end(operation, "NOT_EXECUTED")
            AttemptFactory(
                operation=operation, number=4, said="invalid_card", is_probe=True, verdict="negative_probe"
            )
            assert self._end(operation, "NOT_EXECUTED") == 1

    def test_by_people_is_taken_when_it_is_decided(self) -> None:
        operation = OperationFactory(
            payment=PaymentFactory(authorized=True), kind=OperationKind.CAPTURE, state=REVIEW
        )
        resolution = proposed(operation, kind="record_reference", reference="cap_1")
        with refuses("no evidence"):
            self._end(operation, "SUCCEEDED", bank_reference="cap_1")
        apply(resolution)
        with refuses("no evidence"):
            self._end(operation, "SUCCEEDED", bank_reference="cap_2")
        assert self._end(operation, "SUCCEEDED", bank_reference="cap_1") == 1

    def test_is_not_read_from_a_temporary_table(self) -> None:
        operation = OperationFactory()
        execute("CREATE TEMPORARY TABLE payments_attempt (LIKE public.payments_attempt)")
        execute(
            "INSERT INTO pg_temp.payments_attempt (id, operation_id, result, said, bank_reference,"
            " number, epoch, reply, is_probe, verdict, is_late, started_at)"
            " VALUES (1, %s, 'answered', 'approved', 'auth_1', 1, 1, '200', false, '', false, now())",
            operation.pk,
        )
        try:
            with refuses("no evidence that it is SUCCEEDED"):
                self._end(operation, "SUCCEEDED", bank_reference="auth_1")
        finally:
            execute("DROP TABLE pg_temp.payments_attempt")

    def test_is_not_made_up_by_a_session_that_ignores_triggers(self) -> None:
        operation = OperationFactory()
        execute("SET LOCAL pgtrigger.ignore = '{*,guard_update,payments_operation:guard_update}'")
        with refuses("no evidence that it is SUCCEEDED"):
            self._end(operation, "SUCCEEDED", bank_reference="auth_1")


ANSWERED = {"ended_at": NOW, "result": "answered"}
SILENT = {"ended_at": NOW, "result": "silent", "said": "silence"}
NOT_SENT = {"ended_at": NOW, "result": "not_sent", "said": "not_sent"}


class TestAnAttempt:
    def _insert(self, operation: Operation, number: int = 1, **fields: Any) -> Attempt:
        return Attempt.objects.create(operation=operation, number=number, **{"epoch": 1} | fields)

    def test_is_not_written_with_its_end(self) -> None:
        for fields in one_by_one(
            [
                {"ended_at": NOW, "result": "answered", "said": "approved", "bank_reference": "auth_1"},
                {"is_late": True},
                {"said": "silence"},
                {"bank_reference": "auth_1"},
                {"verdict": "negative_probe"},
                {"in_doubt": False},
                {"hold_expires_at": NOW},
            ]
        ):
            with refuses("it begins without an end"):
                self._insert(OperationFactory(), **fields)

    def test_is_of_who_has_had_the_lease(self) -> None:
        """One whose row was lost is recorded anew, perhaps when somebody else has the lease."""
        operation = OperationFactory(lease_epoch=3)
        with refuses("only a holder of the lease sends"):
            self._insert(operation, epoch=4)
        assert self._insert(operation, epoch=3).pk

    def test_of_what_has_ended_is_refused_unless_it_is_looked_for_again(self) -> None:
        operation = OperationFactory(not_executed=True)
        with refuses("its operation has ended"):
            self._insert(operation)
        update(operation, look_again_at=NOW)
        assert self._insert(operation, is_probe=True).pk

    def test_follows_the_one_before(self) -> None:
        with refuses("attempts are numbered one after another"):
            self._insert(OperationFactory(), 2)

    def test_ends_as_attempts_do(self) -> None:
        for columns, because in one_by_one(
            [
                ({"reply": "200"}, "it changes when it ends"),
                ({**SILENT, "bank_reference": "x"}, "a reference comes with an approval"),
                (
                    {**ANSWERED, "said": "declined", "bank_reference": "x"},
                    "a reference comes with an approval",
                ),
                ({**ANSWERED, "said": "approved"}, "a reference comes with an approval"),
                ({**ANSWERED, "said": "silence"}, "its result is what the bank's word says"),
                ({**SILENT, "said": "not_done"}, "its result is what the bank's word says"),
                ({**SILENT, "in_doubt": False}, "silence leaves doubt"),
                ({**NOT_SENT, "is_replay": True}, "only a readable reply is a replay"),
                (ANSWERED, "its end has a word"),
            ]
        ):
            with refuses(because):
                update(AttemptFactory(unended=True), **columns)


ANSWER = {"response_status": 201, "response_headers": "{}", "response_body": b"{}"}


class TestAnIdempotencyKey:
    def test_keeps_its_answer_to_the_byte(self) -> None:
        for columns in one_by_one(
            [
                {"response_status": 402},
                {"response_headers": '{"a": "b"}'},
                {"response_body": b"{ }"},
                {"answer": None},
            ]
        ):
            changed = dict.fromkeys(ANSWER) if "answer" in columns else columns
            with refuses("a response stays, to the byte"):
                update(IdempotencyKeyFactory(answered=True), **changed)

    def test_has_no_answer_before_its_operations_end(self) -> None:
        for state in one_by_one([OPEN, REVIEW, OperationState.NOT_EXECUTED]):
            key = IdempotencyKeyFactory(operation__state=state)
            with refuses("its operation has no final response"):
                update(key, **ANSWER)

    def test_stays_whose_it_is(self) -> None:
        for columns in one_by_one(
            [
                {"merchant_id": MerchantFactory(slug="another").pk},
                {"mode": "test"},
                {"key": "key-2"},
                {"fingerprint": "g"},
                {"fingerprint_key_id": "other"},
            ]
        ):
            with refuses("whose it is, and for which request, stays"):
                update(IdempotencyKeyFactory(), **columns)

    def test_moves_from_nothing_but_what_was_not_executed(self) -> None:
        for state in one_by_one([state for state in OperationState if state != "NOT_EXECUTED"]):
            with refuses("only what was not executed is instructed anew"):
                update(IdempotencyKeyFactory(operation__state=state), operation_id=new_id())

    def test_moves_to_no_operation_that_is_there_already(self) -> None:
        key = IdempotencyKeyFactory(operation__not_executed=True)
        with refuses("it is claimed before its operation is recorded"):
            update(key, operation_id=OperationFactory().pk)
        assert update(key, operation_id=new_id(), created_at=datetime.now(UTC)) == 1
        with unguarded():
            execute("DELETE FROM payments_idempotencykey")

    def test_is_not_laid_on_an_operation_that_is_there_already(self) -> None:
        operation = OperationFactory()
        merchant = operation.claimed_payment.merchant
        with refuses("it is claimed before its operation is recorded"):
            IdempotencyKey.objects.create(merchant=merchant, mode=Mode.LIVE, key="k", operation=operation)

    def test_is_not_dated_anew(self) -> None:
        with refuses("its date is that of its claim"):
            update(IdempotencyKeyFactory(), created_at=NOW)

    def test_retires_its_bank_key_for_a_late_hold_only(self) -> None:
        operation = OperationFactory(not_executed=True)
        key = IdempotencyKeyFactory(operation=operation)
        with refuses("no late hold was made under its bank key"):
            update(key, bank_key_retired=True)
        AttemptFactory(operation=operation, is_late=True)
        assert update(key, bank_key_retired=True) == 1
        with refuses("a retired bank key stays retired"):
            update(key, bank_key_retired=False)

    def test_is_kept_for_30_days_and_while_its_operation_is_unfinished(self) -> None:
        old = datetime.now(UTC) - timedelta(days=31)
        IdempotencyKeyFactory(operation__state=SUCCEEDED)
        with refuses("keys are kept for 30 days"):
            execute("DELETE FROM payments_idempotencykey")
        with unguarded():
            execute("DELETE FROM payments_idempotencykey")
        IdempotencyKeyFactory(created_at=old)
        with refuses("its operation is unfinished"):
            execute("DELETE FROM payments_idempotencykey")


class TestADiscrepancy:
    def _open(self, state: OperationState = REVIEW, kind: str = "contradiction") -> Discrepancy:
        operation = OperationFactory(
            payment=PaymentFactory(authorized=True), kind=OperationKind.CAPTURE, state=state
        )
        return Discrepancy.objects.create(kind=kind, operation=operation, payment=operation.payment)

    def test_is_not_closed_without_anything(self) -> None:
        with refuses("nothing has settled it"):
            update(self._open(), closed_at=datetime.now(UTC))
            judge_at_once()

    def test_of_a_late_reply_is_not_closed_because_its_operation_has_ended(self) -> None:
        with refuses("nothing has settled it"):
            update(self._open(OperationState.NOT_EXECUTED, "late_reply"), closed_at=datetime.now(UTC))
            judge_at_once()

    def test_is_closed_with_its_operation(self) -> None:
        update(self._open(OperationState.NOT_EXECUTED), closed_at=datetime.now(UTC))
        judge_at_once()

    def test_is_closed_by_people(self) -> None:
        late = self._open(OperationState.NOT_EXECUTED, "late_reply")
        apply(proposed(late.operation, kind="settle_late_reply"))
        update(late, closed_at=datetime.now(UTC))
        judge_at_once()

    def test_is_closed_by_what_the_bank_says_instead(self) -> None:
        known = self._open()
        Discrepancy.objects.create(
            kind="not_deducible", operation=known.operation, payment=known.operation.payment
        )
        update(known, closed_at=datetime.now(UTC))
        judge_at_once()

    def test_stays_as_it_was_found(self) -> None:
        for columns in one_by_one(
            [{"kind": "late_hold"}, {"evidence": '{"x": 1}'}, {"payment_id": None}, {"opened_at": NOW}]
        ):
            with refuses("what was found stays"):
                update(self._open(), **columns)

    def test_is_closed_once(self) -> None:
        closed = self._open(OperationState.NOT_EXECUTED)
        update(closed, closed_at=NOW)
        for other in (LATER, None):
            with refuses("it is closed once"):
                update(closed, closed_at=other)

    def test_of_somebody_elses_payment_is_refused(self) -> None:
        with refuses("its operation is another payment's"):
            Discrepancy.objects.create(
                kind="contradiction", operation=OperationFactory(), payment=PaymentFactory()
            )


class TestAResolution:
    def test_is_not_written_as_decided(self) -> None:
        for fields in ({"state": "APPLIED"}, {"decided_at": NOW}):
            with refuses("it begins as PROPOSED"):
                proposed(OperationFactory(), **fields)

    def test_says_who_has_decided_it_and_when(self) -> None:
        resolution = proposed(OperationFactory())
        for columns in (
            {"state": "APPLIED"},
            {"state": "APPLIED", "decided_at": NOW},
            {"state": "OUTDATED", "decided_at": NOW, "decided_by_id": resolution.proposed_by_id},
        ):
            with refuses("it says who has decided it, and when"):
                update(resolution, **columns)
        with refuses("it changes when it is decided"):
            update(resolution, decided_at=NOW)
        with refuses("what was proposed stays"):
            update(resolution, amount_minor=1)
        apply(resolution)
        with refuses("it is decided once"):
            update(resolution, state="REFUSED")

    def test_of_somebody_elses_payment_is_refused(self) -> None:
        with refuses("its operation is another payment's"):
            proposed(OperationFactory(), payment=PaymentFactory())


class TestAnEvent:
    def _insert(self, payment: Payment | None, event: str, **fields: Any) -> Event:
        return Event.objects.create(payment=payment, type=event, actor="api_key:1", **fields)

    def test_of_somebody_elses_payment_is_refused(self) -> None:
        for payment in (PaymentFactory(), None):
            with refuses("its operation is another payment's"):
                self._insert(payment, "note.added", operation=OperationFactory())

    def test_of_a_state_that_was_not_reached_then_is_refused(self) -> None:
        for state in one_by_one([one for one in PaymentState if one not in ("PENDING", "REFUNDED")]):
            event = f"payment.{state.lower()}"
            for payment in (PaymentFactory(), PaymentFactory(state=state, at=NOW)):
                with refuses("its payment did not come to this state then"):
                    self._insert(payment, event, at=LATER)
            assert self._insert(PaymentFactory(state=state, at=NOW), event, at=NOW).pk

    def test_of_a_refund_is_that_of_one_that_was_made_then(self) -> None:
        payment = PaymentFactory(captured=True, at=NOW)
        refund = OperationFactory(
            payment=payment, kind=OperationKind.REFUND, state=SUCCEEDED, finished_at=NOW
        )
        for operation, at in ((None, NOW), (refund, LATER)):
            with refuses("its operation gave nothing back then"):
                self._insert(payment, "payment.refunded", operation=operation, at=at)
        assert self._insert(payment, "payment.refunded", operation=refund, at=NOW).pk

    def test_of_an_end_that_was_none_is_refused(self) -> None:
        for event, state in one_by_one(
            [
                ("capture.not_executed", OperationState.NOT_EXECUTED),
                ("release.succeeded", SUCCEEDED),
                ("operation.needs_review", REVIEW),
            ]
        ):
            payment = PaymentFactory(authorized=True)
            operation = OperationFactory(payment=payment, kind=OperationKind.CAPTURE)
            with refuses("its operation"):
                self._insert(payment, event, operation=operation, at=NOW)
            with unguarded():
                update(operation, state=state, finished_at=None if state is REVIEW else NOW)
            assert self._insert(payment, event, operation=operation, at=NOW).pk


class TestWhatElseIsKept:
    def test_a_request_is_of_its_operations_payment(self) -> None:
        known = {"kind": "capture", "actor": "x", "request_id": "x", "status": 202}
        with refuses("its operation is another payment's"):
            ApiRequest.objects.create(payment=PaymentFactory(), operation=OperationFactory(), **known)

    def test_a_request_is_kept_for_30_days_and_never_changed(self) -> None:
        payment = PaymentFactory()
        known = {"kind": "capture", "actor": "x", "request_id": "x", "status": 202}
        ApiRequest.objects.create(payment=payment, **known)
        with refuses("requests are kept for 30 days"):
            execute("DELETE FROM payments_apirequest")
        with refuses("UPDATE of payments_apirequest is refused"):
            execute("UPDATE payments_apirequest SET status = 200")

    def test_an_assignment_stays_with_its_operation(self) -> None:
        owner = User.objects.create_user("kim")
        assignment = Assignment.objects.create(operation=OperationFactory(), owner=owner)
        with refuses("its operation stays"):
            update(assignment, operation_id=OperationFactory().pk)

    def test_every_table_of_payments_is_guarded(self) -> None:
        """A new table is decided upon here. Signs of life and counts of requests are overwritten."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relname FROM pg_class WHERE relname LIKE 'payments\\_%' AND relkind = 'r'"
                " AND NOT EXISTS (SELECT FROM pg_trigger"
                " WHERE tgrelid = pg_class.oid AND tgname = 'guard_update' AND tgenabled <> 'D')"
            )
            assert {table for (table,) in cursor.fetchall()} == {"payments_heartbeat", "payments_ratecount"}

    def test_nothing_is_left_of_triggers_that_a_session_can_switch_off(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'pgtrigger%'")
            assert cursor.fetchone() == (0,)
