"""The audit's rules of settlements: each query reads every row at most a few times, by hashed joins.

A payee is a merchant in one mode, at one bank, in one currency.
"""

from reconciliation.services.rules import Rule

_SETTLEMENT = "'stl_' || replace(s.id::text, '-', '')"
_PAYEE = "merchant_id, mode, bank, currency"
_NAMED = "m.slug || ', ' || b.mode || ' ' || b.currency || ' at ' || b.bank"
_AS_LEDGER = """
    SELECT l.event_id, l.merchant_id, l.mode, l.bank, l.currency,
        coalesce(sum(g.amount_minor) FILTER (WHERE g.account = 'merchant_payable'), 0) AS payable,
        coalesce(sum(g.amount_minor) FILTER (WHERE g.account = 'bank_receivable'), 0) AS receivable,
        coalesce(sum(g.amount_minor) FILTER (WHERE g.account = 'fees'), 0) AS fees,
        coalesce(sum(g.amount_minor) FILTER (WHERE g.account = 'corrections'), 0) AS corrections
    FROM payments_ledgerentry l JOIN payments_ledgerposting g ON g.entry_id = l.event_id
    GROUP BY l.event_id"""


def _balance(name: str, says: str, account: str, expected: str) -> Rule:
    """A rule that an account of each payee has the balance that `expected` gives, as (payee, amount)."""
    return Rule(
        name,
        says,
        f"""
        SELECT {_NAMED}, 'the ledger has ' || sum(b.posted) || ' instead of ' || sum(b.due) FROM (
            SELECT l.merchant_id, l.mode, l.bank, l.currency, g.amount_minor AS posted, 0 AS due
            FROM payments_ledgerposting g JOIN payments_ledgerentry l ON l.event_id = g.entry_id
            WHERE g.account = '{account}'
            UNION ALL SELECT {_PAYEE}, 0, due FROM ({expected}) expected
        ) b JOIN payments_merchant m ON m.id = b.merchant_id
        GROUP BY m.slug, b.mode, b.bank, b.currency HAVING sum(b.posted) <> sum(b.due)""",
    )


_UNSETTLED = """
    SELECT p.merchant_id, p.mode, p.bank, p.currency,
        CASE o.kind WHEN 'capture' THEN -o.amount_minor ELSE o.amount_minor END AS due
    FROM payments_operation o JOIN payments_payment p ON p.id = o.payment_id
    LEFT JOIN reconciliation_settlementline l ON l.operation_id = o.id
    WHERE o.kind IN ('capture', 'refund') AND o.state = 'SUCCEEDED' AND l.id IS NULL
    UNION ALL
    SELECT c.merchant_id, c.mode, c.bank, c.currency, -c.amount_minor FROM reconciliation_correction c
    LEFT JOIN reconciliation_settlementline l ON l.correction_id = c.id WHERE l.id IS NULL"""
_CARRIED = f"""
    SELECT * FROM (SELECT DISTINCT ON ({_PAYEE}) {_PAYEE}, -carried_forward_minor AS due
        FROM reconciliation_settlement ORDER BY {_PAYEE}, date DESC) latest"""
_MOVED = """
    SELECT p.merchant_id, p.mode, p.bank, p.currency, (p.captured_minor - p.refunded_minor)::bigint AS due
    FROM payments_payment p"""

SETTLEMENTS = [
    Rule(
        "what_is_settled_has_moved",
        "What is settled is a capture or refund that SUCCEEDED, with its amount, in one settlement of its payee; "
        "or a correction likewise.",
        f"""
        SELECT {_SETTLEMENT}, 'line ' || l.id || ' of ' || l.amount_minor
        FROM reconciliation_settlementline l JOIN reconciliation_settlement s ON s.id = l.settlement_id
        LEFT JOIN payments_operation o ON o.id = l.operation_id
        LEFT JOIN payments_payment p ON p.id = o.payment_id
        LEFT JOIN reconciliation_correction c ON c.id = l.correction_id
        WHERE (s.merchant_id, s.mode, s.bank, s.currency) IS DISTINCT FROM (
                coalesce(p.merchant_id, c.merchant_id), coalesce(p.mode, c.mode), coalesce(p.bank, c.bank),
                coalesce(p.currency, c.currency))
            OR o.id IS NOT NULL AND o.state <> 'SUCCEEDED'
            OR l.amount_minor IS DISTINCT FROM coalesce(c.amount_minor, CASE o.kind
                WHEN 'capture' THEN o.amount_minor WHEN 'refund' THEN -o.amount_minor END)
        UNION ALL
        SELECT 'op_' || replace(operation_id::text, '-', ''), count(*) || ' settlements'
        FROM reconciliation_settlementline WHERE operation_id IS NOT NULL
        GROUP BY operation_id HAVING count(*) > 1""",
    ),
    Rule(
        "what_is_settled_is_matched",
        "A settled capture is matched. A settled refund's capture is in the same settlement or an earlier one.",
        f"""
        SELECT {_SETTLEMENT}, o.kind || ' op_' || replace(o.id::text, '-', '')
        FROM reconciliation_settlementline l JOIN reconciliation_settlement s ON s.id = l.settlement_id
        JOIN payments_operation o ON o.id = l.operation_id
        LEFT JOIN reconciliation_match m ON m.operation_id = o.id AND o.kind = 'capture'
        LEFT JOIN (
            SELECT c.payment_id, min(earlier.date) AS date FROM payments_operation c
            JOIN reconciliation_settlementline cl ON cl.operation_id = c.id
            JOIN reconciliation_settlement earlier ON earlier.id = cl.settlement_id
            WHERE c.kind = 'capture' GROUP BY c.payment_id
        ) capture ON capture.payment_id = o.payment_id AND o.kind = 'refund'
        WHERE CASE o.kind WHEN 'capture' THEN m.operation_id IS NULL
            ELSE capture.date IS NULL OR capture.date > s.date END""",
    ),
    Rule(
        "settlements_add_up",
        "A settlement's sums are those of its lines; it pays what is left of them, or carries forward what is "
        "missing.",
        f"""
        SELECT {_SETTLEMENT}, 'its lines add up to ' || coalesce(l.moved, 0) || ', with fees of '
            || coalesce(l.fees, 0)
        FROM reconciliation_settlement s LEFT JOIN (
            SELECT settlement_id, sum(amount_minor) AS moved, sum(fee_minor) AS fees,
                sum(amount_minor) FILTER (WHERE operation_id IS NOT NULL AND amount_minor > 0) AS captured,
                -sum(amount_minor) FILTER (WHERE operation_id IS NOT NULL AND amount_minor < 0) AS refunded,
                sum(amount_minor) FILTER (WHERE correction_id IS NOT NULL) AS corrected
            FROM reconciliation_settlementline GROUP BY settlement_id
        ) l ON l.settlement_id = s.id
        WHERE (s.captured_minor, s.refunded_minor, s.fees_minor, s.corrected_minor) <> (
                coalesce(l.captured, 0), coalesce(l.refunded, 0), coalesce(l.fees, 0), coalesce(l.corrected, 0))
            OR s.amount_minor + s.carried_forward_minor
                <> coalesce(l.moved, 0) - coalesce(l.fees, 0) + s.brought_forward_minor
            OR s.amount_minor < 0 OR s.carried_forward_minor > 0
            OR s.amount_minor > 0 AND s.carried_forward_minor < 0""",
    ),
    Rule(
        "fees_follow_from_the_terms",
        "The fee of a settled capture follows from the terms in force when it was captured.",
        f"""
        SELECT {_SETTLEMENT}, 'op_' || replace(o.id::text, '-', '') || ' with a fee of ' || l.fee_minor
        FROM reconciliation_settlementline l JOIN reconciliation_settlement s ON s.id = l.settlement_id
        JOIN payments_operation o ON o.id = l.operation_id
        JOIN payments_payment p ON p.id = o.payment_id
        LEFT JOIN LATERAL (
            SELECT f.basis_points, f.fixed_minor FROM reconciliation_feeterms f
            WHERE (f.merchant_id, f.mode, f.currency) = (p.merchant_id, p.mode, p.currency)
                AND f.valid_from <= p.captured_at
            ORDER BY f.valid_from DESC LIMIT 1
        ) f ON o.kind = 'capture'
        WHERE l.fee_minor <> coalesce(fee_of(o.amount_minor, f.basis_points, f.fixed_minor), 0)""",
    ),
    Rule(
        "settlements_follow_each_other",
        "A settlement begins with what the one before has carried forward; the first with nothing.",
        f"""
        SELECT {_SETTLEMENT}, 'begins with ' || s.brought_forward_minor || ' after ' || s.carried
        FROM (SELECT *, coalesce(lag(carried_forward_minor)
            OVER (PARTITION BY {_PAYEE} ORDER BY date), 0) AS carried FROM reconciliation_settlement) s
        WHERE s.brought_forward_minor <> s.carried""",
    ),
    Rule(
        "settlements_are_posted",
        "A settlement's entry moves what is paid and the fees; a correction's entry moves its amount. No entry "
        "without a payment is of anything else.",
        f"""
        WITH entry AS ({_AS_LEDGER}), due AS (
            SELECT event_id, {_PAYEE}, amount_minor + fees_minor AS payable, -amount_minor AS receivable,
                -fees_minor AS fees, 0 AS corrections, {_SETTLEMENT} AS subject
            FROM reconciliation_settlement s
            UNION ALL SELECT event_id, {_PAYEE}, -amount_minor, 0, 0, amount_minor, 'correction ' || id
            FROM reconciliation_correction
        )
        SELECT coalesce(due.subject, 'entry ' || entry.event_id), 'posted ' || coalesce(entry.payable, 0)
            || ' to the merchant instead of ' || coalesce(due.payable, 0)
        FROM due FULL JOIN (
            SELECT entry.* FROM entry JOIN payments_event e ON e.id = entry.event_id WHERE e.payment_id IS NULL
        ) entry ON entry.event_id = due.event_id
        WHERE due.event_id IS NULL OR (due.payable, due.receivable, due.fees, due.corrections) <> (
                coalesce(entry.payable, 0), coalesce(entry.receivable, 0), coalesce(entry.fees, 0),
                coalesce(entry.corrections, 0))
            OR entry.event_id IS NOT NULL AND (due.merchant_id, due.mode, due.bank, due.currency)
                <> (entry.merchant_id, entry.mode, entry.bank, entry.currency)""",
    ),
    _balance(
        "the_payable_is_what_is_owed",
        "What is payable to a merchant is what is not settled yet, and what its latest settlement has carried "
        "forward.",
        "merchant_payable",
        f"{_UNSETTLED} UNION ALL {_CARRIED}",
    ),
    _balance(
        "the_receivable_is_what_the_bank_owes",
        "What is receivable from a bank is what was captured and not refunded, less what it has paid.",
        "bank_receivable",
        f"{_MOVED} UNION ALL SELECT {_PAYEE}, -amount_minor FROM reconciliation_settlement",
    ),
    _balance(
        "the_fees_are_those_of_settlements",
        "The account of fees has the fees of all settlements.",
        "fees",
        f"SELECT {_PAYEE}, -fees_minor AS due FROM reconciliation_settlement",
    ),
]
