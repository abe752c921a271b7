-- The intent of a capture, a void or a refund of all that is left: locks the payment, claims the key, then writes
-- the operation, its first attempt and the event. Returns no row where the payment's state, the amount or the
-- bank key does not allow it. Raises lock_not_available where another transaction has locked the payment.
WITH payment AS MATERIALIZED (
    SELECT
        *,
        CASE %(kind)s::text WHEN 'refund' THEN captured_minor - refunded_minor ELSE amount_minor END
            AS left_minor,
        CASE %(kind)s::text WHEN 'refund' THEN bank_capture_id ELSE bank_authorization_id END AS target
    FROM payments_payment
    -- No index serves IS NOT DISTINCT FROM, so the payment is found by its id (see read_caller.sql).
    WHERE id = %(payment_id)s::uuid AND (merchant_id, mode, bank, state, refunded_minor)
        IS NOT DISTINCT FROM (%(merchant_id)s, %(mode)s::text, %(bank)s::text, %(state)s, 0)
    FOR NO KEY UPDATE NOWAIT
),
claimed AS (
    INSERT INTO payments_idempotencykey (
        merchant_id, mode, key, fingerprint, fingerprint_key_id, operation_id, bank_key_retired
    )
    SELECT
        merchant_id, mode, %(idempotency_key)s, %(fingerprint)s, %(fingerprint_key_id)s,
        %(operation_id)s::uuid, false
    FROM payment
    WHERE left_minor > 0 AND left_minor = coalesce(%(amount_minor)s::integer, left_minor) AND target <> ''
        AND NOT EXISTS (
            SELECT FROM payments_operation o
            WHERE o.bank = %(bank)s::text AND o.bank_idempotency_key = %(bank_key)s::text
        )
    RETURNING operation_id
),
operation AS (
    INSERT INTO payments_operation (
        id, payment_id, kind, bank, amount_minor, currency, target_reference, bank_idempotency_key, ordinal,
        state, lease_epoch, lease_expires_at, bank_reference, outcome_code, strays_awaited,
        actor, request_id, reason
    )
    SELECT
        claimed.operation_id, payment.id, %(kind)s::text, payment.bank, payment.left_minor, payment.currency,
        payment.target, %(bank_key)s::text, 0,
        'OPEN', 1, clock_timestamp() + %(lease)s, '', '', 0,
        %(actor)s, %(request_id)s, %(reason)s
    FROM payment, claimed
    RETURNING id, payment_id, amount_minor, target_reference, created_at
),
attempt AS (
    INSERT INTO payments_attempt (
        operation_id, number, epoch, result, said, reply, bank_reference, is_probe, verdict, is_late
    )
    SELECT id, 1, 1, '', '', '', '', false, '', false FROM operation
    RETURNING operation_id
),
event AS (
    INSERT INTO payments_event (payment_id, operation_id, type, actor, request_id, evidence)
    SELECT operation.payment_id, attempt.operation_id, %(event)s, %(actor)s, %(request_id)s, '{}'
    FROM operation, attempt
    RETURNING operation_id
)
SELECT
    operation.amount_minor, operation.target_reference, operation.created_at,
    -- What a receipt shows, in the order of `fast_path._SHOWN`.
    payment.order_id, payment.customer_id, payment.amount_minor, payment.captured_minor,
    payment.refunded_minor, payment.currency, payment.state,
    payment.card_brand, payment.card_last4, payment.card_expiry_month, payment.card_expiry_year,
    payment.description, payment.customer_email, payment.metadata::text,
    payment.bank_authorization_id, payment.bank_capture_id, payment.bank_void_id, payment.bank_refund_id,
    payment.created_at, payment.authorization_expires_at, payment.authorized_at, payment.captured_at
FROM payment, operation, event
