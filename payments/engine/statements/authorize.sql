-- The intent of an authorize: claims the key, then writes the payment, its operation, the first attempt and
-- the event. Returns no row where the bank key has been used before.
WITH claimed AS (
    INSERT INTO payments_idempotencykey (
        merchant_id, mode, key, fingerprint, fingerprint_key_id, operation_id, bank_key_retired
    )
    SELECT
        %(merchant_id)s, %(mode)s::text, %(idempotency_key)s, %(fingerprint)s, %(fingerprint_key_id)s,
        %(operation_id)s::uuid, false
    WHERE NOT EXISTS (
        SELECT FROM payments_operation o
        WHERE o.bank = %(bank)s::text AND o.bank_idempotency_key = %(bank_key)s::text
    )
    RETURNING operation_id
),
payment AS (
    INSERT INTO payments_payment (
        id, merchant_id, mode, bank, order_id, customer_id, amount_minor, currency, state,
        card_brand, card_last4, card_expiry_month, card_expiry_year, description, customer_email, metadata,
        bank_authorization_id, bank_capture_id, bank_void_id, bank_refund_id, decline_code
    )
    SELECT
        %(payment_id)s::uuid, %(merchant_id)s, %(mode)s::text, %(bank)s::text, %(order_id)s, %(customer_id)s,
        %(amount_minor)s, %(currency)s, 'PENDING',
        %(card_brand)s, %(card_last4)s, %(card_expiry_month)s, %(card_expiry_year)s,
        %(description)s, %(customer_email)s, %(metadata)s::jsonb,
        '', '', '', '', ''
    FROM claimed
    RETURNING id, created_at
),
operation AS (
    INSERT INTO payments_operation (
        id, payment_id, kind, bank, amount_minor, currency, target_reference, bank_idempotency_key, ordinal,
        state, lease_epoch, lease_expires_at, bank_reference, outcome_code, strays_awaited,
        actor, request_id, reason
    )
    SELECT
        %(operation_id)s::uuid, payment.id, 'authorize', %(bank)s::text, %(amount_minor)s, %(currency)s,
        '', %(bank_key)s::text, 0,
        'OPEN', 1, clock_timestamp() + %(lease)s, '', '', 0,
        %(actor)s, %(request_id)s, ''
    FROM payment
    RETURNING id, payment_id, created_at
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
SELECT payment.created_at, operation.created_at FROM payment, operation, event
