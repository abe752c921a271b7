-- What a payee's next settlement consists of: a row for each capture, refund and correction, whatever its day
-- up to %(end)s.
INSERT INTO settling (operation_id, correction_id, amount_minor, fee_minor, at)
WITH moved AS MATERIALIZED (
    SELECT o.id, o.kind, o.payment_id, o.amount_minor, o.finished_at, p.captured_at
    FROM payments_payment p JOIN payments_operation o ON o.payment_id = p.id
    WHERE p.merchant_id = %(merchant_id)s AND p.mode = %(mode)s AND p.state IN ('CAPTURED', 'REFUNDED')
        AND p.bank = %(bank)s AND p.currency = %(currency)s
        AND o.kind IN ('capture', 'refund') AND o.state = 'SUCCEEDED' AND o.finished_at < %(end)s
        AND NOT EXISTS (SELECT FROM reconciliation_settlementline l WHERE l.operation_id = o.id)
), capture AS MATERIALIZED (
    -- Only what the bank's statement shows, too.
    SELECT o.* FROM moved o JOIN reconciliation_match m ON m.operation_id = o.id WHERE o.kind = 'capture'
)
SELECT o.id, NULL::bigint, o.amount_minor, coalesce((
    SELECT fee_of(o.amount_minor, f.basis_points, f.fixed_minor) FROM reconciliation_feeterms f
    WHERE f.merchant_id = %(merchant_id)s AND f.mode = %(mode)s AND f.currency = %(currency)s
        AND f.valid_from <= o.captured_at
    ORDER BY f.valid_from DESC LIMIT 1
), 0), o.finished_at
FROM capture o
UNION ALL
-- A refund needs no match: to deduct it early never pays too much. Its capture must be settled, or nobody
-- has got what it gives back.
SELECT o.id, NULL::bigint, -o.amount_minor, 0, o.finished_at FROM moved o
WHERE o.kind = 'refund' AND (
    o.payment_id IN (SELECT payment_id FROM capture) OR o.payment_id IN (
        SELECT c.payment_id FROM payments_operation c
        JOIN reconciliation_settlementline l ON l.operation_id = c.id
        WHERE c.payment_id = o.payment_id AND c.kind = 'capture'
    )
)
UNION ALL
SELECT NULL::uuid, c.id, c.amount_minor, 0, c.created_at FROM reconciliation_correction c
WHERE c.merchant_id = %(merchant_id)s AND c.mode = %(mode)s AND c.bank = %(bank)s AND c.currency = %(currency)s
    AND c.created_at < %(end)s
    AND NOT EXISTS (SELECT FROM reconciliation_settlementline l WHERE l.correction_id = c.id)
