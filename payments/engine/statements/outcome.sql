-- The outcome of an operation that its first attempt has settled, with all its consequences: locks payment and
-- operation, ends the attempt, changes both rows, writes the event with its postings and stores the response.
-- Returns no row where the lease is lost or the payment is not as the intent left it. Raises lock_not_available
-- where another transaction has locked a row.
WITH payment AS MATERIALIZED (
    SELECT id FROM payments_payment
    WHERE id = %(payment_id)s::uuid
        AND (state, captured_minor, refunded_minor, bank_authorization_id, bank_capture_id)
            = (%(old_state)s, %(old_captured_minor)s, %(old_refunded_minor)s, %(old_authorization_id)s,
               %(old_capture_id)s)
    FOR NO KEY UPDATE NOWAIT
),
operation AS MATERIALIZED (
    SELECT o.id FROM payments_operation o, payment
    WHERE o.id = %(operation_id)s::uuid AND o.state = 'OPEN' AND o.lease_epoch = 1
        AND (%(kind)s::text = 'authorize' OR NOT has_open_late_reply(payment.id))
    FOR NO KEY UPDATE OF o NOWAIT
),
moment AS MATERIALIZED (SELECT clock_timestamp() AS at FROM operation),
attempt AS (
    UPDATE payments_attempt a SET
        ended_at = moment.at, result = %(result)s, in_doubt = false, is_over = true, said = %(said)s,
        http_status = %(http_status)s, reply = %(reply)s, bank_reference = %(reference)s::text,
        is_replay = %(is_replay)s::boolean, duration_ms = %(duration_ms)s,
        hold_expires_at = %(hold_expires_at)s::timestamptz
    FROM moment
    WHERE a.operation_id = %(operation_id)s::uuid AND a.number = 1 AND a.ended_at IS NULL
    RETURNING a.operation_id
),
finished AS (
    UPDATE payments_operation o SET
        state = %(operation_state)s, bank_reference = %(reference)s::text, outcome_code = %(outcome_code)s,
        strays_awaited = %(strays_awaited)s, finished_at = moment.at
    FROM moment, attempt
    WHERE o.id = attempt.operation_id
    RETURNING o.id, o.actor, o.request_id
),
changed AS (
    UPDATE payments_payment p SET
        state = %(state)s::text, captured_minor = %(captured_minor)s, refunded_minor = %(refunded_minor)s,
        bank_authorization_id = %(authorization_id)s, bank_capture_id = %(capture_id)s,
        bank_void_id = %(void_id)s, bank_refund_id = %(refund_id)s, decline_code = %(decline_code)s,
        authorization_expires_at = %(authorization_expires_at)s::timestamptz,
        authorized_at = CASE %(state)s::text WHEN 'AUTHORIZED' THEN moment.at ELSE p.authorized_at END,
        captured_at = CASE %(state)s::text WHEN 'CAPTURED' THEN moment.at ELSE p.captured_at END,
        refunded_at = CASE %(state)s::text WHEN 'REFUNDED' THEN moment.at END,
        voided_at = CASE %(state)s::text WHEN 'VOIDED' THEN moment.at END,
        declined_at = CASE %(state)s::text WHEN 'DECLINED' THEN moment.at END
    FROM moment, finished
    WHERE p.id = %(payment_id)s::uuid
    RETURNING p.id, p.merchant_id, p.mode, p.bank, p.currency
),
event AS (
    INSERT INTO payments_event (payment_id, operation_id, type, at, actor, request_id, evidence)
    SELECT
        changed.id, finished.id, %(event)s, moment.at, finished.actor, finished.request_id,
        %(evidence)s::jsonb
    FROM moment, finished, changed
    RETURNING id, at
),
entry AS (
    INSERT INTO payments_ledgerentry (event_id, merchant_id, mode, bank, currency)
    SELECT event.id, changed.merchant_id, changed.mode, changed.bank, changed.currency FROM event, changed
    WHERE cardinality(%(accounts)s::text[]) > 0
    RETURNING event_id
),
posted AS (
    INSERT INTO payments_ledgerposting (entry_id, account, amount_minor)
    SELECT entry.event_id, posting.* FROM entry, unnest(%(accounts)s::text[], %(postings)s::bigint[]) AS posting
),
responded AS (
    -- The response was made before its time was known: replace the placeholder.
    UPDATE payments_idempotencykey i SET
        response_status = %(status)s, response_headers = %(headers)s::jsonb,
        response_body = convert_to(
            replace(
                %(body)s::text, %(mark)s::text,
                to_char(event.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
            ),
            'UTF8'
        )
    FROM event
    WHERE i.operation_id = %(operation_id)s::uuid
)
SELECT at FROM event
