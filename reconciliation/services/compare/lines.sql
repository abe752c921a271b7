-- The considered lines that no operation matches, or that their file had several times, in the bank's order; and
-- all that decides what each is. What a line is about is found by indexes, or in a list that is made once.
WITH named AS MATERIALIZED (  -- holds in replies that recovery handles
    SELECT a.bank_reference AS reference FROM payments_attempt a
    JOIN payments_operation o ON o.id = a.operation_id AND o.bank = %(bank)s AND o.kind = 'authorize'
    WHERE a.is_late AND a.bank_reference <> ''
    UNION
    SELECT a.bank_reference FROM payments_operation o JOIN payments_attempt a ON a.operation_id = o.id
    WHERE o.bank = %(bank)s AND o.kind = 'authorize' AND o.state IN ('OPEN', 'NEEDS_REVIEW')
        AND a.bank_reference <> ''
), open_authorize AS MATERIALIZED (
    SELECT o.amount_minor, o.currency, min(o.created_at) - %(before)s::interval AS since
    FROM payments_operation o WHERE o.bank = %(bank)s AND o.kind = 'authorize' AND o.state = 'OPEN'
    GROUP BY o.amount_minor, o.currency
)
SELECT l.id, l.kind, l.reference, l.target_reference AS target, l.amount_minor, l.currency, l.at, l.repeats,
    l.number, f.name AS file,
    EXISTS (SELECT FROM reconciliation_match m WHERE m.line_id = l.id) AS is_matched,
    owner.facts AS owner, coalesce(ours.facts, '[]') AS ours, coalesce(others.facts, '[]') AS others,
    ARRAY(
        SELECT DISTINCT x.kind FROM reconciliation_statementline x
        WHERE x.bank = l.bank AND x.target_reference = l.reference AND x.target_reference <> ''
            AND l.kind = 'authorize'
    ) AS naming,
    l.kind IN ('capture', 'void') AND EXISTS (
        SELECT FROM reconciliation_statementline x
        WHERE x.bank = l.bank AND x.reference = l.target_reference AND x.kind = 'authorize'
    ) AS names_known_hold,
    l.kind = 'authorize' AND l.reference IN (SELECT reference FROM named) AS is_named_by_us,
    l.kind = 'authorize' AND EXISTS (
        SELECT FROM open_authorize x
        WHERE x.amount_minor = l.amount_minor AND x.currency = l.currency AND x.since <= l.at
    ) AS may_be_claimed
FROM considered_line c JOIN reconciliation_statementline l ON l.id = c.id
JOIN reconciliation_statementfile f ON f.id = l.file_id
CROSS JOIN LATERAL (
    SELECT CASE l.kind WHEN 'authorize' THEN l.reference WHEN 'refund' THEN coalesce(
        (SELECT o.target_reference FROM payments_operation o
            WHERE o.bank = l.bank AND o.kind = 'capture' AND o.bank_reference = l.target_reference
            AND o.kind IN ('capture', 'refund') AND o.bank_reference <> ''),
        (SELECT min(x.target_reference) FROM reconciliation_statementline x
            WHERE x.bank = l.bank AND x.kind = 'capture' AND x.reference = l.target_reference)
    ) ELSE l.target_reference END AS reference
) AS hold
LEFT JOIN LATERAL (
    SELECT p.id, jsonb_build_object(
        'payment', replace(p.id::text, '-', ''), 'merchant', p.merchant_id, 'state', p.state) AS facts
    FROM payments_payment p WHERE p.bank = l.bank AND p.bank_authorization_id = hold.reference
        AND p.bank_authorization_id <> ''
) AS owner ON true
LEFT JOIN LATERAL (  -- operations with its reference, and those about what it names
    SELECT jsonb_agg(jsonb_build_object(
        'id', replace(o.id::text, '-', ''), 'kind', o.kind, 'state', o.state, 'reference', o.bank_reference,
        'target', o.target_reference, 'amount_minor', o.amount_minor, 'currency', o.currency,
        'payment', replace(o.payment_id::text, '-', ''), 'created_at', o.created_at,
        'merchant', (SELECT p.merchant_id FROM payments_payment p WHERE p.id = o.payment_id),
        'is_matched', EXISTS (SELECT FROM reconciliation_match m WHERE m.operation_id = o.id)
    ) ORDER BY o.created_at DESC, o.id) AS facts
    FROM (
        SELECT a.id FROM payments_operation a
        WHERE l.kind = 'authorize' AND a.payment_id = owner.id AND a.kind = 'authorize'
            AND a.bank_reference = l.reference
        UNION
        SELECT r.id FROM payments_operation r
        WHERE l.kind IN ('capture', 'refund') AND r.bank = l.bank AND r.kind = l.kind
            AND r.bank_reference = l.reference AND r.kind IN ('capture', 'refund') AND r.bank_reference <> ''
        UNION
        SELECT t.id FROM payments_operation t
        WHERE t.bank = l.bank AND t.target_reference <> ''
            AND t.target_reference = CASE l.kind WHEN 'authorize' THEN l.reference ELSE l.target_reference END
    ) AS found JOIN payments_operation o ON o.id = found.id
) AS ours ON true
LEFT JOIN LATERAL (  -- lines of its kind with its reference, and those that name the same
    SELECT jsonb_agg(jsonb_build_object(
        'id', x.id, 'kind', x.kind, 'reference', x.reference, 'amount_minor', x.amount_minor,
        'currency', x.currency, 'at', x.at,
        'is_newer', x.file_id > l.file_id, 'is_beside', x.file_id = l.file_id,
        'is_matched', EXISTS (SELECT FROM reconciliation_match m WHERE m.line_id = x.id)
    )) AS facts
    FROM (
        SELECT r.id FROM reconciliation_statementline r
        WHERE r.bank = l.bank AND r.reference = l.reference AND r.kind = l.kind
        UNION
        SELECT t.id FROM reconciliation_statementline t
        WHERE t.bank = l.bank AND t.target_reference = l.target_reference AND t.target_reference <> ''
            AND t.kind = l.kind
    ) AS found JOIN reconciliation_statementline x ON x.id = found.id AND x.id <> l.id
) AS others ON true
WHERE l.repeats > 0 OR NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.line_id = l.id)
ORDER BY l.at, l.id
