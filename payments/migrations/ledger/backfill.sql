-- Chains and entries for what a database holds already.

ALTER TABLE payments_event DISABLE TRIGGER guard_update;
DO $$
DECLARE
    e public.payments_event;
    chained uuid;
    previous bytea;
BEGIN
    FOR e IN SELECT * FROM public.payments_event WHERE payment_id IS NOT NULL ORDER BY payment_id, id LOOP
        previous := public.event_digest(e, CASE WHEN e.payment_id = chained THEN previous END);
        UPDATE public.payments_event SET digest = previous WHERE id = e.id;
        chained := e.payment_id;
    END LOOP;
END $$;
ALTER TABLE payments_event ENABLE TRIGGER guard_update;

WITH changed AS (
    SELECT e.id, p.merchant_id, p.mode, p.bank, p.currency,
        CASE e.type WHEN 'payment.authorized' THEN p.amount_minor WHEN 'payment.refunded' THEN 0
            ELSE -p.amount_minor END AS held,
        CASE e.type WHEN 'payment.captured' THEN p.captured_minor WHEN 'payment.refunded' THEN -o.amount_minor
            ELSE 0 END AS taken
    FROM payments_event e
    JOIN payments_payment p ON p.id = e.payment_id
    LEFT JOIN payments_operation o ON o.id = e.operation_id
    WHERE e.type IN ('payment.authorized', 'payment.captured', 'payment.voided', 'payment.expired',
        'payment.refunded')
),
entry AS (
    INSERT INTO payments_ledgerentry (event_id, merchant_id, mode, bank, currency)
    SELECT id, merchant_id, mode, bank, currency FROM changed
)
INSERT INTO payments_ledgerposting (entry_id, account, amount_minor)
SELECT changed.id, posting.account, posting.amount
FROM changed, LATERAL (VALUES
    ('holds', held), ('holds_contra', -held), ('bank_receivable', taken), ('merchant_payable', -taken)
) AS posting (account, amount)
WHERE posting.amount <> 0;
