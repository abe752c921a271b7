-- The successes that no line matches, among those recorded since the run before may have left any undecided, and
-- those of a known difference. `event` is the number of the event that recorded it.
WITH coverage AS (
    SELECT range_agg(tstzrange(f.covers_from, f.covers_to)) AS covered
    FROM reconciliation_statementfile f WHERE f.bank = %(bank)s
), considered AS (
    SELECT e.operation_id AS id, min(e.id) AS event FROM payments_event e
    WHERE e.id > %(event)s AND e.type IN (
        'payment.authorized', 'payment.captured', 'payment.voided', 'payment.refunded', 'release.succeeded')
    GROUP BY e.operation_id
    UNION
    SELECT d.operation_id, NULL FROM reconciliation_difference d
    WHERE d.bank = %(bank)s AND d.operation_id IS NOT NULL
)
SELECT replace(o.id::text, '-', '') AS id, o.kind, o.state, o.bank_reference AS reference,
    o.target_reference AS target, o.amount_minor, o.currency, o.created_at, o.finished_at,
    replace(o.payment_id::text, '-', '') AS payment, p.merchant_id AS merchant, min(considered.event) AS event,
    bool_and(coverage.covered @> tstzrange(since.at, o.finished_at + %(grace)s::interval)) IS TRUE AS is_covered,
    bool_and(since.at < lower(coverage.covered)) IS NOT FALSE AS is_before_all,
    bool_or(o.bank_reference <> '' AND EXISTS (
        SELECT FROM reconciliation_statementline l
        WHERE l.bank = o.bank AND l.reference = o.bank_reference
            AND l.kind = CASE o.kind WHEN 'release' THEN 'void' ELSE o.kind END
    ) OR o.bank_reference = '' AND EXISTS (
        SELECT FROM reconciliation_statementline l
        WHERE l.bank = o.bank AND l.target_reference = o.target_reference AND l.target_reference <> ''
            AND l.kind = CASE o.kind WHEN 'release' THEN 'void' ELSE o.kind END
    )) AS has_line
FROM considered JOIN payments_operation o ON o.id = considered.id
LEFT JOIN payments_payment p ON p.id = o.payment_id
CROSS JOIN coverage
CROSS JOIN LATERAL (  -- what staff recorded may have been executed before it was recorded
    SELECT least(o.created_at, CASE o.kind
        WHEN 'capture' THEN p.captured_at WHEN 'void' THEN p.voided_at WHEN 'refund' THEN p.refunded_at
    END) - %(before)s::interval AS at
) AS since
WHERE o.bank = %(bank)s AND o.state = 'SUCCEEDED'
    AND NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.operation_id = o.id)
GROUP BY o.id, p.merchant_id, since.at
ORDER BY o.finished_at, o.id
