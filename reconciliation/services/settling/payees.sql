-- Every merchant, mode, bank and currency with something to settle up to %(end)s, or with a settlement of
-- %(day)s; and the day of its latest settlement.
WITH unsettled AS (
    SELECT o.payment_id FROM reconciliation_match m
    JOIN payments_operation o ON o.id = m.operation_id
    WHERE o.kind = 'capture' AND o.state = 'SUCCEEDED' AND o.finished_at < %(end)s
        AND NOT EXISTS (SELECT FROM reconciliation_settlementline l WHERE l.operation_id = o.id)
    UNION ALL
    SELECT o.payment_id FROM payments_operation o
    WHERE o.kind = 'refund' AND o.state = 'SUCCEEDED' AND o.finished_at < %(end)s
        AND NOT EXISTS (SELECT FROM reconciliation_settlementline l WHERE l.operation_id = o.id)
        AND EXISTS (
            SELECT FROM payments_operation c JOIN reconciliation_settlementline l ON l.operation_id = c.id
            WHERE c.payment_id = o.payment_id AND c.kind = 'capture'
        )
), latest AS (
    SELECT DISTINCT ON (merchant_id, mode, bank, currency)
        merchant_id, mode, bank, currency, date
    FROM reconciliation_settlement ORDER BY merchant_id, mode, bank, currency, date DESC
), payee AS (
    SELECT p.merchant_id, p.mode, p.bank, p.currency
    FROM unsettled u JOIN payments_payment p ON p.id = u.payment_id
    UNION
    SELECT c.merchant_id, c.mode, c.bank, c.currency FROM reconciliation_correction c
    WHERE c.created_at < %(end)s
        AND NOT EXISTS (SELECT FROM reconciliation_settlementline l WHERE l.correction_id = c.id)
    UNION
    SELECT merchant_id, mode, bank, currency FROM reconciliation_settlement WHERE date = %(day)s
)
SELECT payee.merchant_id, m.slug, payee.mode, payee.bank, payee.currency, latest.date
FROM payee JOIN payments_merchant m ON m.id = payee.merchant_id
LEFT JOIN latest USING (merchant_id, mode, bank, currency)
ORDER BY m.slug, payee.mode, payee.bank, payee.currency
