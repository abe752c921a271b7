"""The audit finds what raw SQL has broken, and nothing in books that were kept by the gateway."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

from office.decisions import resolve
from office.decisions.evidence import Evidence
from payments.models import Operation
from payments.models.clock import read_clock
from payments.usecases.expirations import expire_due
from payments.usecases.recovery import recover_due
from reconciliation.models import Difference, Match
from reconciliation.services.audit import found_by, violations
from reconciliation.services.audit_rules import RULES
from reconciliation.services.correct import correct
from reconciliation.services.reconcile import reconcile
from reconciliation.services.settle import settle
from tests.office.decisions.cases import member, not_executed
from tests.support.api_client import CARDS, ApiClient, order
from tests.support.book_factories import FeeTermsFactory, StatementLineFactory
from tests.support.simulated_bank import SimulatedBank
from tests.support.statements import deliver
from tests.support.time_travel import let_pass
from tests.support.unguarded import unguarded

pytestmark = pytest.mark.usefixtures("scripted")


@pytest.fixture
def books(live: ApiClient, bank: SimulatedBank) -> None:
    """Some of everything: captured, refunded, voided, declined, expired, failed, in doubt, under review."""
    live.authorized()
    refunded = live.captured()
    live.post(f"/payments/{refunded['id']}/refund")
    live.captured()
    live.post(f"/payments/{live.authorized()['id']}/void")
    live.post("/payments", order(card=CARDS["no-funds"]))
    bank.script("authorizations", "drop_before", times=1000)
    live.post("/payments", order(), key="failed")
    bank.clear_script()
    for minutes in (5, 11):
        let_pass(timedelta(minutes=minutes), bank)
        recover_due(within=timedelta(seconds=5))
    let_pass(timedelta(days=7), bank)
    expire_due(limit=10)
    recover_due(within=timedelta(seconds=5))
    contradicted = live.authorized()
    bank.script("captures", "fail_before", status=400, code="authorization_not_found", times=1000)
    live.post(f"/payments/{contradicted['id']}/capture")
    for _ in range(2):
        let_pass(timedelta(minutes=5), bank)
        recover_due(within=timedelta(seconds=5))
    bank.clear_script()
    capture = Operation.objects.get(state="NEEDS_REVIEW")
    word = not_executed(capture, Evidence.BANK_WORD, quote="We have not seen it.")
    assert not resolve.propose(member("kim"), word).is_done
    bank.script("authorizations", "drop_after", times=1000)
    live.post("/payments", order())
    bank.clear_script()
    file = deliver(bank, since=timedelta(days=9))
    StatementLineFactory(file=file, kind="capture", at=file.covers_from)  # nobody's
    reconcile("ficmart", actor="test", grace=timedelta(hours=1))
    assert Match.objects.exists()
    assert Difference.objects.exists()
    settle_some()


def settle_some() -> None:
    """A settlement that pays, one that carries a debt forward and one that begins with it; and what waits."""
    FeeTermsFactory()
    today = read_clock().date()
    days = [today + timedelta(days=number) for number in (-1, 1, 2)]
    later = read_clock() + timedelta(days=4)
    (first,) = settle(days[0], actor="operator", now=later)
    for day, amount_minor in zip(days[1:], (-10_000, -1), strict=True):
        correct(first, amount_minor=amount_minor, reason="paid by mistake", actor="staff:kim")
        assert settle(day, actor="operator", now=later)[0].carried_forward_minor < 0
    correct(first, amount_minor=5, reason="a rounding", actor="staff:kim")


BROKEN = {
    "one_unfinished_operation": """
        UPDATE payments_operation SET state = 'OPEN', finished_at = NULL
        WHERE payment_id = (SELECT id FROM payments_payment WHERE state = 'REFUNDED')
        AND kind <> 'authorize'""",
    "state_follows_from_the_authorize": """
        UPDATE payments_payment SET bank_authorization_id = 'auth_other' WHERE state = 'CAPTURED'""",
    "state_follows_from_the_capture": """
        UPDATE payments_operation SET bank_reference = 'cap_other'
        WHERE kind = 'capture' AND state = 'SUCCEEDED'""",
    "state_follows_from_the_void": """
        UPDATE payments_payment SET bank_void_id = 'void_x' WHERE state = 'VOIDED'""",
    "totals_follow_from_the_operations": """
        UPDATE payments_payment SET captured_minor = captured_minor - 1 WHERE state = 'CAPTURED'""",
    "no_more_is_given_back_than_was_captured": """
        UPDATE payments_operation SET amount_minor = amount_minor + 1 WHERE kind = 'refund'""",
    "a_bank_reference_is_one_operation": """
        UPDATE payments_operation SET bank_reference = 'cap_other' WHERE kind = 'capture'""",
    "expired_with_reason_and_released": """
        UPDATE payments_operation SET target_reference = 'auth_other' WHERE kind = 'release'""",
    "operations_are_the_payments": "UPDATE payments_operation SET amount_minor = 1 WHERE kind = 'void'",
    "success_on_evidence": "UPDATE payments_attempt SET said = 'bank_error' WHERE said = 'approved'",
    "refusal_on_evidence": "UPDATE payments_attempt SET said = 'declined' WHERE said = 'insufficient_funds'",
    "not_executed_on_evidence": "UPDATE payments_attempt SET verdict = '' WHERE verdict <> ''",
    "no_reply_is_ignored": """
        UPDATE payments_operation SET state = 'NOT_EXECUTED' WHERE kind = 'refund'""",
    "late_replies_settle": """
        UPDATE payments_operation SET due_at = NULL WHERE state = 'NEEDS_REVIEW';
        UPDATE payments_attempt SET is_late = true, said = 'approved', bank_reference = 'cap_1',
            is_replay = false, ended_at = now() - interval '1 day'
        WHERE operation_id IN (SELECT id FROM payments_operation WHERE state = 'NEEDS_REVIEW')""",
    "orphan_replies_are_settled": """
        INSERT INTO payments_discrepancy (kind, bank, bank_reference, evidence, opened_at)
        VALUES ('orphan_reply', 'ficmart', 'auth_1', '{"kind": "authorize"}', now())""",
    "every_change_has_its_event": "DELETE FROM payments_event WHERE type = 'payment.captured'",
    "every_outcome_has_its_event": "UPDATE payments_event SET evidence = '{}' WHERE type = 'payment.voided'",
    "reviews_are_in_the_queue": "UPDATE payments_discrepancy SET closed_at = now()",
    "one_call_in_flight": """
        UPDATE payments_attempt SET started_at = (
            SELECT min(one.started_at) FROM payments_attempt one
            WHERE one.operation_id = payments_attempt.operation_id), ended_at = NULL, result = '', said = ''
        WHERE operation_id IN (SELECT operation_id FROM payments_attempt WHERE number = 2)""",
    "the_card_is_sent_twice_in_silence_at_most": """
        UPDATE payments_attempt SET is_probe = false, result = 'silent'
        WHERE operation_id IN (SELECT operation_id FROM payments_attempt WHERE is_probe)""",
    "what_cannot_be_asked_is_sent_once": """
        UPDATE payments_operation SET bank = 'acquirer'
        WHERE id IN (SELECT operation_id FROM payments_attempt WHERE number = 2 AND NOT is_probe)""",
    "a_bank_key_is_one_instruction": """
        UPDATE payments_operation SET bank_idempotency_key = 'shared', bank = state
        WHERE kind IN ('capture', 'void') AND state = 'SUCCEEDED'""",
    "no_hold_is_forgotten": """
        UPDATE payments_attempt SET bank_reference = 'auth_stray' WHERE said = 'approved'
        AND operation_id = (SELECT id FROM payments_operation WHERE kind = 'authorize' AND state = 'SUCCEEDED'
            ORDER BY created_at LIMIT 1)""",
    "no_live_hold_is_released": """
        UPDATE payments_operation SET target_reference = (
            SELECT bank_authorization_id FROM payments_payment WHERE state = 'REFUNDED')
        WHERE kind = 'release'""",
    "doubts_are_asked_about": """
        UPDATE payments_operation SET lease_expires_at = now() - interval '1 day', due_at = NULL
        WHERE state = 'OPEN'""",
    "doubts_are_bounded_in_time": """
        UPDATE payments_operation SET created_at = now() - interval '2 days' WHERE state = 'OPEN'""",
    "entries_balance": """
        UPDATE payments_ledgerposting SET amount_minor = 1 WHERE account = 'bank_receivable'""",
    "events_have_their_postings": """
        UPDATE payments_ledgerentry SET event_id = event_id + 1000 WHERE currency = 'USD'""",
    "the_ledger_has_what_payments_have": """
        UPDATE payments_ledgerposting SET amount_minor = 2 * amount_minor""",
    "entries_are_the_payments": "UPDATE payments_ledgerentry SET currency = 'EUR'",
    "events_give_the_payment": """
        UPDATE payments_event SET type = 'payment.voided' WHERE type = 'payment.captured'""",
    "events_are_as_written": "UPDATE payments_event SET actor = 'nobody' WHERE type = 'payment.created'",
    "what_is_settled_has_moved": """
        UPDATE reconciliation_settlementline SET amount_minor = -amount_minor
        WHERE operation_id IN (SELECT id FROM payments_operation WHERE kind = 'refund')""",
    "what_is_settled_is_matched": "DELETE FROM reconciliation_match",
    "settlements_add_up": """
        UPDATE reconciliation_settlement SET amount_minor = amount_minor + 1 WHERE amount_minor > 0""",
    "fees_follow_from_the_terms": "UPDATE reconciliation_feeterms SET basis_points = basis_points + 1",
    "settlements_follow_each_other": """
        UPDATE reconciliation_settlement SET brought_forward_minor = 0 WHERE brought_forward_minor < 0""",
    "settlements_are_posted": """
        UPDATE payments_ledgerposting SET account = 'fees' WHERE account = 'corrections'""",
    "the_payable_is_what_is_owed": """
        DELETE FROM reconciliation_settlementline WHERE correction_id IS NOT NULL""",
    "the_receivable_is_what_the_bank_owes": """
        UPDATE reconciliation_settlement SET amount_minor = amount_minor + 1 WHERE amount_minor > 0""",
    "the_fees_are_those_of_settlements": """
        UPDATE payments_ledgerposting SET amount_minor = amount_minor - 1 WHERE account = 'fees'""",
    "matches_agree": "UPDATE reconciliation_statementline SET amount_minor = amount_minor + 1",
    "what_matches_is_no_difference": """
        UPDATE reconciliation_difference
        SET state = 'OPEN', closed_at = NULL, line_id = (SELECT line_id FROM reconciliation_match LIMIT 1)""",
    "differences_have_their_history": "DELETE FROM reconciliation_differenceevent",
    "what_statements_told_is_on_them": """
        UPDATE payments_event SET evidence = '{"statement": {"reference": "void_x"}}'
        WHERE type = 'payment.voided'""",
    "final_responses_are_kept": """
        UPDATE payments_idempotencykey SET response_status = 500 WHERE response_status = 402""",
}


def test_finds_nothing_in_books_kept_by_the_gateway_and_each_rule_what_breaks_it(books: None) -> None:
    """Constraints and triggers refuse most of this, so they are taken away for a moment."""
    assert violations() == []
    with unguarded(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname) "
            "FROM pg_constraint WHERE contype IN ('c', 'f') "
            "AND conrelid::regclass::text ~ '^(payments|reconciliation)_'"
        )
        for (drop,) in cursor.fetchall():
            cursor.execute(drop)
        cursor.execute(
            "DROP INDEX one_open_operation_per_payment, one_operation_per_bank_key,"
            " one_operation_per_reference"
        )
        for rule, broken in BROKEN.items():
            with transaction.atomic():
                cursor.execute(broken)
                assert cursor.rowcount > 0, rule
                found = {one.rule for one in found_by(cursor)}
                assert rule in found, f"{rule} is broken, and only {found} are found"
                transaction.set_rollback(True)
        transaction.set_rollback(True)


def test_every_rule_is_broken_once() -> None:
    guarded_by_an_index = {"one_live_payment_per_order", "one_payment_per_hold"}
    assert set(BROKEN) | guarded_by_an_index == {rule.name for rule in RULES}
