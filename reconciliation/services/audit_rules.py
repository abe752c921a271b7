"""The audit's rules. Each query returns a row (subject, detail) for each violation.

The parameters: `%(attempt)s`, `%(patience)s` and `%(probes_apart)s` are intervals, and `%(silent_with_card)s` is a
number. `%(replies_kept_for)s` is a JSON object with an interval for each bank that may forget a key.
`%(banks_that_void)s` and `%(banks_that_void_expired)s` are JSON lists; `%(without_keys)s` is an array.
"""

from collections.abc import Iterable

from payments.domain.meanings import words_for_done
from payments.domain.replies import ALREADY_DONE
from payments.domain.states import OperationKind
from reconciliation.services.comparison_rules import COMPARISON
from reconciliation.services.ledger_rules import HISTORY, LEDGER
from reconciliation.services.rules import PAYMENT, Rule
from reconciliation.services.settlement_rules import SETTLEMENTS

# How our tools name an operation.
_OPERATION = "'op_' || replace(o.id::text, '-', '')"
_UNFINISHED = "('OPEN', 'NEEDS_REVIEW')"
_HELD = "('AUTHORIZED', 'CAPTURED', 'REFUNDED', 'VOIDED', 'EXPIRED')"


def _words(words: Iterable[str]) -> str:
    return "(" + ", ".join(f"'{word}'" for word in sorted(words)) + ")"


_SAID_DONE = (
    "CASE o.kind "
    + " ".join(
        f"WHEN '{kind}' THEN a.said IN {_words(words_for_done(kind))}"
        for kind in (OperationKind.CAPTURE, OperationKind.VOID, OperationKind.REFUND)
    )
    + " END"
)

# Resolutions that did not change anything; one that did has another event. And strays, which are no outcome.
_UNDECIDED = """('resolution.proposed', 'resolution.refused', 'resolution.outdated', 'resolution.failed',
            'stray.ruled_out')"""

# Staff resolved it, or the bank's statement did, on the evidence in the event.
_BY_OTHERS = f"""EXISTS (SELECT 1 FROM payments_event e
            WHERE e.operation_id = o.id AND e.evidence ?| array['resolution', 'statement'] AND e.type NOT IN {_UNDECIDED})"""

# The hold was found voided at the bank, without a void of ours.
_VOIDED_BY_OTHERS = """EXISTS (SELECT 1 FROM payments_event e
            WHERE e.payment_id = p.id AND e.type = 'payment.voided'
                AND e.evidence ?| array['resolution', 'statement'])"""

_STATES = [
    Rule(
        "one_unfinished_operation",
        "A payment has at most one unfinished operation.",
        f"""
        SELECT {PAYMENT}, string_agg(o.kind, ' and ') FROM payments_payment p
        JOIN payments_operation o ON o.payment_id = p.id
        WHERE o.kind <> 'release' AND o.state IN {_UNFINISHED}
        GROUP BY p.id HAVING count(*) > 1""",
    ),
    Rule(
        "one_live_payment_per_order",
        "An order has at most one payment that is PENDING, AUTHORIZED or CAPTURED.",
        """
        SELECT order_id, count(*) || ' live payments' FROM payments_payment
        WHERE state IN ('PENDING', 'AUTHORIZED', 'CAPTURED')
        GROUP BY merchant_id, mode, order_id HAVING count(*) > 1""",
    ),
    Rule(
        "state_follows_from_the_authorize",
        "A payment's state agrees with its one authorize, and its hold is the one the bank named.",
        f"""
        SELECT {PAYMENT}, p.state || ' with authorize ' || coalesce(string_agg(o.state, ', '), 'missing')
        FROM payments_payment p
        LEFT JOIN payments_operation o ON o.payment_id = p.id AND o.kind = 'authorize'
        GROUP BY p.id HAVING count(o.id) <> 1 OR NOT bool_and(CASE
            WHEN p.state = 'PENDING' THEN o.state IN {_UNFINISHED}
            WHEN p.state = 'DECLINED' THEN o.state = 'DECLINED' AND o.outcome_code = p.decline_code
            WHEN p.state = 'FAILED' THEN o.state = 'NOT_EXECUTED'
            ELSE o.state = 'SUCCEEDED' AND o.bank_reference = p.bank_authorization_id END)""",
    ),
    *(
        Rule(
            f"state_follows_from_the_{kind}",
            f"A payment is {' or '.join(states)} if and only if one {kind} succeeded, with the same reference.",
            f"""
            SELECT {PAYMENT}, p.state || ' with ' || count(o.id) || ' {kind}s that succeeded'
            FROM payments_payment p LEFT JOIN payments_operation o
                ON o.payment_id = p.id AND o.kind = '{kind}' AND o.state = 'SUCCEEDED'
            GROUP BY p.id
            HAVING count(o.id) <> CASE WHEN p.state IN ({", ".join(f"'{s}'" for s in states)}) THEN 1 ELSE 0 END
                    AND NOT (p.state = 'VOIDED' AND '{kind}' = 'void' AND {_VOIDED_BY_OTHERS})
                OR bool_or(o.bank_reference <> p.{column})""",
        )
        for kind, states, column in (
            ("capture", ("CAPTURED", "REFUNDED"), "bank_capture_id"),
            ("void", ("VOIDED",), "bank_void_id"),
        )
    ),
    Rule(
        "totals_follow_from_the_operations",
        "A payment's captured and refunded totals equal the sums of its operations; it is REFUNDED when nothing "
        "is left, and names its latest refund.",
        f"""
        SELECT {PAYMENT}, p.state || ', captured ' || p.captured_minor || ' and refunded ' || p.refunded_minor
            || ', with ' || coalesce(o.captured, 0) || ' and ' || coalesce(o.refunded, 0) || ' by its operations'
        FROM payments_payment p LEFT JOIN (
            SELECT payment_id, sum(amount_minor) FILTER (WHERE kind = 'capture') AS captured,
                sum(amount_minor) FILTER (WHERE kind = 'refund') AS refunded,
                (array_agg(bank_reference ORDER BY finished_at DESC, created_at DESC)
                    FILTER (WHERE kind = 'refund'))[1] AS latest
            FROM payments_operation WHERE state = 'SUCCEEDED' GROUP BY payment_id
        ) o ON o.payment_id = p.id
        WHERE p.captured_minor <> coalesce(o.captured, 0) OR p.refunded_minor <> coalesce(o.refunded, 0)
            OR (p.state = 'REFUNDED') <> (p.captured_minor > 0 AND p.refunded_minor = p.captured_minor)
            OR p.bank_refund_id <> coalesce(o.latest, '')""",
    ),
    Rule(
        "no_more_is_given_back_than_was_captured",
        "All refunds together, unfinished ones included, do not exceed the captured amount, which does not exceed "
        "the hold.",
        f"""
        SELECT {PAYMENT}, coalesce(sum(o.amount_minor), 0) || ' given back of ' || p.captured_minor
        FROM payments_payment p LEFT JOIN payments_operation o ON o.payment_id = p.id AND o.kind = 'refund'
            AND o.state IN ('OPEN', 'NEEDS_REVIEW', 'SUCCEEDED')
        GROUP BY p.id
        HAVING coalesce(sum(o.amount_minor), 0) > p.captured_minor OR p.captured_minor > p.amount_minor""",
    ),
    Rule(
        "a_bank_reference_is_one_operation",
        "A bank's capture or refund belongs to only one operation.",
        """
        SELECT bank_reference, count(*) || ' ' || kind || 's' FROM payments_operation
        WHERE kind IN ('capture', 'refund') AND bank_reference <> ''
        GROUP BY bank, kind, bank_reference HAVING count(*) > 1""",
    ),
    Rule(
        "expired_with_reason_and_released",
        "An EXPIRED payment's hold had expired, or the bank said so, and its release is recorded.",
        f"""
        SELECT {PAYMENT}, 'expired at ' || p.expired_at FROM payments_payment p WHERE p.state = 'EXPIRED' AND (
            NOT (p.authorization_expires_at <= p.expired_at OR EXISTS (SELECT 1 FROM payments_operation o
                WHERE o.payment_id = p.id AND o.kind = 'capture' AND o.state = 'REJECTED'))
            OR %(banks_that_void_expired)s::jsonb ? p.bank
                AND NOT EXISTS (SELECT 1 FROM payments_operation o WHERE o.payment_id = p.id
                AND o.kind = 'release' AND o.target_reference = p.bank_authorization_id))""",
    ),
    Rule(
        "operations_are_the_payments",
        "An operation has its payment's bank and currency, and refers to its hold or capture. Only captures and "
        "refunds may be for less than the payment's amount.",
        f"""
        SELECT {_OPERATION}, o.kind || ' of ' || o.amount_minor || ' for ' || o.target_reference
        FROM payments_operation o JOIN payments_payment p ON p.id = o.payment_id
        WHERE o.amount_minor <> p.amount_minor AND o.kind NOT IN ('capture', 'refund')
            OR o.amount_minor > p.amount_minor OR o.currency <> p.currency OR o.bank <> p.bank
            OR o.kind IN ('capture', 'void') AND o.target_reference <> p.bank_authorization_id
            OR o.kind = 'refund' AND o.target_reference <> p.bank_capture_id""",
    ),
    Rule(
        "one_payment_per_hold",
        "A hold belongs to only one payment.",
        f"""
        SELECT bank_authorization_id, count(*) || ' payments' FROM payments_payment p
        WHERE p.state IN {_HELD} GROUP BY bank, bank_authorization_id HAVING count(*) > 1""",
    ),
]

_EVIDENCE = [
    Rule(
        "success_on_evidence",
        "An operation SUCCEEDED because the bank said so: it named its reference, or said it was already done; or its "
        "statement shows it.",
        f"""
        SELECT {_OPERATION}, o.kind || ' ' || o.bank_reference FROM payments_operation o
        WHERE o.state = 'SUCCEEDED' AND NOT {_BY_OTHERS} AND NOT EXISTS (SELECT 1 FROM payments_attempt a
            WHERE a.operation_id = o.id AND (
                o.bank_reference <> '' AND a.said = 'approved' AND a.bank_reference = o.bank_reference
                OR o.bank_reference = '' AND o.kind IN ('void', 'refund', 'release')
                    AND a.said IN {_words(ALREADY_DONE)}))""",
    ),
    Rule(
        "refusal_on_evidence",
        "An operation is DECLINED or REJECTED because the bank said exactly that.",
        f"""
        SELECT {_OPERATION}, o.outcome_code FROM payments_operation o
        WHERE o.state IN ('DECLINED', 'REJECTED') AND NOT EXISTS (SELECT 1 FROM payments_attempt a
            WHERE a.operation_id = o.id AND a.said = o.outcome_code)""",
    ),
    Rule(
        "not_executed_on_evidence",
        "An operation is NOT_EXECUTED because nothing was sent, the bank or its statement said so, or two probes found "
        "nothing.",
        f"""
        SELECT {_OPERATION}, o.kind FROM payments_operation o
        WHERE o.state = 'NOT_EXECUTED' AND NOT {_BY_OTHERS} AND EXISTS (SELECT 1 FROM payments_attempt a
                WHERE a.operation_id = o.id AND a.result <> 'not_sent' AND NOT a.is_probe
                    AND NOT (a.in_doubt IS FALSE AND a.bank_reference = ''))
            AND NOT (o.kind = 'authorize' AND EXISTS (
                SELECT 1 FROM payments_attempt one JOIN payments_attempt two
                    ON two.operation_id = one.operation_id AND two.number > one.number
                WHERE one.operation_id = o.id
                    AND one.verdict = 'negative_probe' AND two.verdict = 'negative_probe'
                    AND two.started_at >= one.ended_at + %(probes_apart)s::interval
                    AND NOT EXISTS (SELECT 1 FROM payments_attempt sent
                        WHERE sent.operation_id = o.id AND sent.number > one.number AND sent.number < two.number
                            AND sent.result <> 'not_sent' AND NOT sent.is_probe)))""",
    ),
    Rule(
        "no_reply_is_ignored",
        "Everything that the bank said it did is in our books, or in the review queue.",
        f"""
        SELECT {_OPERATION}, o.kind || ' ' || o.state || ' in spite of ' || a.bank_reference
        FROM payments_operation o JOIN payments_attempt a ON a.operation_id = o.id
        WHERE o.state IN ('NOT_EXECUTED', 'REJECTED') AND o.kind <> 'release'
            -- A late hold is voided if its bank supports that.
            AND NOT (o.kind = 'authorize' AND %(banks_that_void)s::jsonb ? o.bank) AND (
                a.said = 'approved' OR a.is_late AND {_SAID_DONE})
            AND NOT EXISTS (SELECT 1 FROM payments_operation s WHERE s.payment_id = o.payment_id
                AND s.kind = o.kind AND s.state = 'SUCCEEDED' AND (a.bank_reference = ''
                    OR s.bank_reference IN ('', a.bank_reference)
                    OR s.bank_idempotency_key = o.bank_idempotency_key))
            AND NOT EXISTS (SELECT 1 FROM payments_discrepancy d
                WHERE d.operation_id = o.id AND d.kind = 'late_reply')""",
    ),
    Rule(
        "late_replies_settle",
        "A late approval from the bank has settled its operation, even one under review.",
        f"""
        SELECT {_OPERATION}, o.kind || ' ' || o.state || ' in spite of ' || a.bank_reference
        FROM payments_operation o JOIN payments_attempt a ON a.operation_id = o.id
        WHERE o.state IN {_UNFINISHED} AND a.is_late AND a.said = 'approved'
            AND (a.is_replay OR NOT a.is_probe)
            AND a.ended_at < clock_timestamp() - %(patience)s::interval
            AND coalesce(o.due_at, a.ended_at) < clock_timestamp() - %(patience)s::interval
            AND NOT EXISTS (SELECT 1 FROM payments_payment p
                WHERE p.bank = o.bank AND p.bank_authorization_id = a.bank_reference)
            AND NOT EXISTS (SELECT 1 FROM payments_operation s WHERE s.bank = o.bank AND s.kind = o.kind
                AND s.bank_reference = a.bank_reference AND s.id <> o.id)""",
    ),
    Rule(
        "orphan_replies_are_settled",
        "Every reply about an operation that our database had lost is in our books again.",
        """
        SELECT coalesce(d.evidence ->> 'operation', 'no operation'),
            (d.evidence ->> 'kind') || ' ' || d.bank_reference || ', which our books do not have'
        FROM payments_discrepancy d WHERE d.kind = 'orphan_reply' AND d.closed_at IS NULL""",
    ),
    Rule(
        "every_change_has_its_event",
        "Every state that a payment has reached has exactly one event, and so has every refund.",
        " UNION ALL ".join(
            f"""
            SELECT {PAYMENT}, count(e.id) || ' events {event}' FROM payments_payment p
            LEFT JOIN payments_event e ON e.payment_id = p.id AND e.type = '{event}'
            GROUP BY p.id HAVING count(e.id) <> {reached}"""
            for event, reached in (
                ("payment.created", "1"),
                (
                    "payment.refunded",
                    "(SELECT count(*) FROM payments_operation o WHERE o.payment_id = p.id"
                    " AND o.kind = 'refund' AND o.state = 'SUCCEEDED')",
                ),
                *(
                    (f"payment.{state}", f"(p.{state}_at IS NOT NULL)::int")
                    for state in (*("authorized", "captured", "voided", "expired", "declined", "failed"),)
                ),
            )
        ),
    ),
    Rule(
        "every_outcome_has_its_event",
        "Every operation that has ended or is under review has an event with the evidence.",
        f"""
        SELECT {_OPERATION}, o.kind || ' ' || o.state FROM payments_operation o
        WHERE o.state <> 'OPEN' AND NOT EXISTS (SELECT 1 FROM payments_event e
            WHERE e.operation_id = o.id AND e.evidence ?| array['reply', 'resolution', 'statement']
                AND e.type NOT IN {_UNDECIDED})""",
    ),
    Rule(
        "reviews_are_in_the_queue",
        "Every operation under review has an open discrepancy.",
        f"""
        SELECT {_OPERATION}, o.kind FROM payments_operation o
        WHERE o.state = 'NEEDS_REVIEW' AND NOT EXISTS (SELECT 1 FROM payments_discrepancy d
            WHERE d.operation_id = o.id AND d.closed_at IS NULL)""",
    ),
]

_SENDING = [
    Rule(
        "one_call_in_flight",
        "An attempt starts only after the one before it has ended or can no longer be in flight.",
        f"""
        SELECT {_OPERATION}, 'attempt ' || later.number || ' beside attempt ' || a.number
        FROM payments_operation o JOIN payments_attempt a ON a.operation_id = o.id
        JOIN payments_attempt later ON later.operation_id = o.id AND later.number > a.number
        WHERE later.started_at < least(
            coalesce(a.ended_at, 'infinity'), a.started_at + %(attempt)s::interval)""",
    ),
    Rule(
        "the_card_is_sent_twice_in_silence_at_most",
        "After two silent attempts of an authorize, the card is not sent again: each may have made a hold.",
        f"""
        SELECT {_OPERATION}, 'attempt ' || later.number || ' after ' || count(*) || ' silent ones'
        FROM payments_operation o JOIN payments_attempt later ON later.operation_id = o.id
        JOIN payments_attempt a ON a.operation_id = o.id AND a.number < later.number
        WHERE o.kind = 'authorize' AND NOT later.is_probe AND later.result <> 'not_sent'
            AND NOT a.is_probe AND a.result IN ('', 'silent')
        GROUP BY o.id, later.number HAVING count(*) >= %(silent_with_card)s""",
    ),
    Rule(
        "what_cannot_be_asked_is_sent_once",
        "At a bank without idempotency keys, nothing is sent after an attempt that it may have executed.",
        f"""
        SELECT {_OPERATION}, 'attempt ' || later.number || ' after attempt ' || a.number
        FROM payments_operation o JOIN payments_attempt later ON later.operation_id = o.id
        JOIN payments_attempt a ON a.operation_id = o.id AND a.number < later.number
        WHERE o.bank = ANY(%(without_keys)s) AND later.result <> 'not_sent' AND NOT later.is_probe
            AND a.in_doubt IS NOT FALSE AND NOT a.is_probe""",
    ),
    Rule(
        "a_bank_key_is_one_instruction",
        "Operations share a bank key only if one repeats another that was not executed.",
        """
        SELECT o.bank_idempotency_key, count(*) || ' operations' FROM payments_operation o
        LEFT JOIN payments_payment p ON p.id = o.payment_id
        GROUP BY o.bank, o.bank_idempotency_key HAVING count(*) > 1 AND (
            count(*) FILTER (WHERE o.state <> 'NOT_EXECUTED') > 1
            OR count(DISTINCT (o.kind, o.amount_minor, o.target_reference, p.order_id)) > 1)""",
    ),
    Rule(
        "no_hold_is_forgotten",
        "Every hold that the bank named belongs to a payment, is released, or may still be claimed.",
        f"""
        SELECT {_OPERATION}, a.bank_reference FROM payments_attempt a
        JOIN payments_operation o ON o.id = a.operation_id AND o.kind = 'authorize'
        WHERE a.said = 'approved' AND (a.is_replay OR NOT a.is_probe)
            AND a.ended_at < clock_timestamp() - %(patience)s::interval
            AND NOT EXISTS (SELECT 1 FROM payments_payment p
                WHERE p.bank = o.bank AND p.bank_authorization_id = a.bank_reference)
            AND NOT EXISTS (SELECT 1 FROM payments_operation r WHERE r.bank = o.bank
                AND r.kind = 'release' AND r.target_reference = a.bank_reference)
            AND NOT EXISTS (SELECT 1 FROM payments_operation other WHERE other.bank = o.bank
                AND other.bank_idempotency_key = o.bank_idempotency_key AND other.state IN {_UNFINISHED})""",
    ),
    Rule(
        "no_live_hold_is_released",
        "A release frees only a hold that has expired or that no payment has.",
        f"""
        SELECT {PAYMENT}, 'is ' || p.state || ', and its hold is released' FROM payments_payment p
        JOIN payments_operation r ON r.bank = p.bank AND r.kind = 'release'
            AND r.target_reference = p.bank_authorization_id
        WHERE p.state <> 'EXPIRED'""",
    ),
    Rule(
        "doubts_are_asked_about",
        "Recovery asks the bank about every operation in doubt soon after it is due.",
        f"""
        SELECT {_OPERATION}, o.kind || ' due since ' || greatest(o.lease_expires_at, o.due_at)
        FROM payments_operation o WHERE o.state = 'OPEN'
            AND greatest(o.lease_expires_at, o.due_at) < clock_timestamp() - %(patience)s::interval""",
    ),
    Rule(
        "doubts_are_bounded_in_time",
        "An authorize is under review once the bank may have forgotten it.",
        f"""
        SELECT {_OPERATION}, 'recorded at ' || o.created_at FROM payments_operation o
        WHERE o.state = 'OPEN' AND o.kind = 'authorize' AND o.created_at <
            clock_timestamp() - (%(replies_kept_for)s::jsonb ->> o.bank)::interval - %(patience)s::interval""",
    ),
]

_RESPONSES = [
    Rule(
        "final_responses_are_kept",
        "An idempotency key stores the final response of its operation, and none before.",
        f"""
        SELECT {_OPERATION}, o.kind || ' ' || o.state || ', response ' || coalesce(k.response_status::text, 'none')
        FROM payments_idempotencykey k JOIN payments_operation o ON o.id = k.operation_id
        WHERE k.response_status IS DISTINCT FROM CASE
            WHEN o.state = 'SUCCEEDED' AND o.kind = 'authorize' THEN 201
            WHEN o.state = 'SUCCEEDED' THEN 200
            WHEN o.state = 'DECLINED' THEN 402
            WHEN o.state = 'REJECTED' THEN 409 END""",
    ),
]

RULES = [*_STATES, *_EVIDENCE, *_SENDING, *_RESPONSES, *LEDGER, *HISTORY, *SETTLEMENTS, *COMPARISON]
