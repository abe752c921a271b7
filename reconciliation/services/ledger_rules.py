"""The audit's rules about the ledger, and about the chains of events.

Each query gives a row (subject, detail) for each violation, as in `audit_rules`.
"""

from reconciliation.services.rules import PAYMENT, Rule

# The events that change what a payment has in the ledger.
_MONEY = "('payment.authorized', 'payment.captured', 'payment.voided', 'payment.expired', 'payment.refunded')"

LEDGER = [
    Rule(
        "entries_balance",
        "An entry has two postings or more, which add up to nought.",
        """
        SELECT 'entry ' || l.event_id, count(g.amount_minor) || ' postings, '
            || coalesce(sum(g.amount_minor), 0) || ' too much'
        FROM payments_ledgerentry l LEFT JOIN payments_ledgerposting g ON g.entry_id = l.event_id
        GROUP BY l.event_id HAVING count(g.amount_minor) < 2 OR sum(g.amount_minor) <> 0""",
    ),
    Rule(
        "events_have_their_postings",
        "Each event that moves money has its entry, and each entry has such an event.",
        f"""
        SELECT {PAYMENT}, e.type || CASE WHEN l.event_id IS NULL THEN ' without an entry'
            ELSE ' with an entry' END
        FROM payments_event e JOIN payments_payment p ON p.id = e.payment_id
        LEFT JOIN payments_ledgerentry l ON l.event_id = e.id
        WHERE (l.event_id IS NULL) = (e.type IN {_MONEY})""",
    ),
    Rule(
        "the_ledger_has_what_payments_have",
        "A payment's postings add up to what is held, captured and refunded of it.",
        f"""
        SELECT {PAYMENT}, 'the ledger has ' || coalesce(posted.held, 0) || ' held and '
            || coalesce(posted.taken, 0) || ' taken'
        FROM payments_payment p LEFT JOIN (
            SELECT e.payment_id,
                sum(g.amount_minor) FILTER (WHERE g.account = 'holds') AS held,
                sum(g.amount_minor) FILTER (WHERE g.account = 'holds_contra') AS held_contra,
                sum(g.amount_minor) FILTER (WHERE g.account = 'bank_receivable') AS taken,
                sum(g.amount_minor) FILTER (WHERE g.account = 'merchant_payable') AS owed
            FROM payments_ledgerposting g JOIN payments_event e ON e.id = g.entry_id
            WHERE e.payment_id IS NOT NULL GROUP BY e.payment_id
        ) posted ON posted.payment_id = p.id
        WHERE (coalesce(held, 0), coalesce(held_contra, 0), coalesce(taken, 0), coalesce(owed, 0))
            <> (
                CASE p.state WHEN 'AUTHORIZED' THEN p.amount_minor ELSE 0 END,
                CASE p.state WHEN 'AUTHORIZED' THEN -p.amount_minor ELSE 0 END,
                p.captured_minor - p.refunded_minor, p.refunded_minor - p.captured_minor
            )""",
    ),
    Rule(
        "entries_are_the_payments",
        "An entry is of its payment's merchant, mode, bank and currency.",
        f"""
        SELECT {PAYMENT}, 'entry ' || l.event_id || ' is of another'
        FROM payments_ledgerentry l JOIN payments_event e ON e.id = l.event_id
        JOIN payments_payment p ON p.id = e.payment_id
        WHERE (l.merchant_id, l.mode, l.bank, l.currency) <> (p.merchant_id, p.mode, p.bank, p.currency)""",
    ),
]

HISTORY = [
    Rule(
        "events_give_the_payment",
        "A payment's events, replayed, give its state and its amounts.",
        f"""
        SELECT {PAYMENT}, 'its events give ' || told.state || ', captured ' || told.captured
            || ', refunded ' || told.refunded
        FROM payments_payment p JOIN (
            SELECT e.payment_id,
                sum(CASE e.type WHEN 'payment.captured' THEN o.amount_minor ELSE 0 END) AS captured,
                sum(CASE e.type WHEN 'payment.refunded' THEN o.amount_minor ELSE 0 END) AS refunded,
                CASE (array_agg(e.type ORDER BY e.id DESC))[1]
                    WHEN 'payment.created' THEN 'PENDING' WHEN 'payment.authorized' THEN 'AUTHORIZED'
                    WHEN 'payment.captured' THEN 'CAPTURED' WHEN 'payment.voided' THEN 'VOIDED'
                    WHEN 'payment.expired' THEN 'EXPIRED' WHEN 'payment.declined' THEN 'DECLINED'
                    WHEN 'payment.failed' THEN 'FAILED' WHEN 'payment.refunded' THEN
                        CASE WHEN sum(CASE e.type WHEN 'payment.captured' THEN o.amount_minor
                                WHEN 'payment.refunded' THEN -o.amount_minor ELSE 0 END) = 0
                            THEN 'REFUNDED' ELSE 'CAPTURED' END
                END AS state
            FROM payments_event e LEFT JOIN payments_operation o ON o.id = e.operation_id
            WHERE e.type LIKE 'payment.%%' GROUP BY e.payment_id
        ) told ON told.payment_id = p.id
        WHERE (p.state, p.captured_minor, p.refunded_minor)
            IS DISTINCT FROM (told.state, told.captured, told.refunded)""",
    ),
    Rule(
        "events_are_as_written",
        "Each event is as it was written: its digest follows from it and from the event before it.",
        f"""
        SELECT {PAYMENT}, 'event ' || e.id || ' has been changed, or one before it is missing'
        FROM (
            SELECT id, payment_id, digest, event_digest(e, lag(digest) OVER (
                PARTITION BY payment_id ORDER BY id)) AS made
            FROM payments_event e WHERE payment_id IS NOT NULL
        ) e JOIN payments_payment p ON p.id = e.payment_id
        WHERE e.digest IS DISTINCT FROM e.made""",
    ),
]
