-- The caller; whether its idempotency key is already claimed; the bank of the payment in the URL; the limits.
-- No index serves IS NOT DISTINCT FROM, so the payment is found by its id. With `=` a database without statistics
-- takes an index that begins with the merchant, and reads all the merchant's payments.
SELECT
    k.id, k.mode, m.id, m.slug, m.name, m.is_active,
    (
        SELECT jsonb_object_agg(r.currency, r.bank)::text FROM payments_route r
        WHERE r.merchant_id = k.merchant_id AND r.mode = k.mode
    ),
    EXISTS (
        SELECT FROM payments_idempotencykey i
        WHERE i.merchant_id = k.merchant_id AND i.mode = k.mode AND i.key = %(idempotency_key)s
    ),
    (
        SELECT p.bank FROM payments_payment p
        WHERE p.id = %(payment_id)s::uuid
            AND (p.merchant_id, p.mode) IS NOT DISTINCT FROM (k.merchant_id, k.mode)
    ),
    array_to_string(k.scopes, ' '), l.writes, l.reads, (extract(epoch FROM clock_timestamp()) * 1000)::bigint
FROM payments_apikey k
JOIN payments_merchant m ON m.id = k.merchant_id
LEFT JOIN payments_ratelimit l ON l.merchant_id = k.merchant_id AND l.mode = k.mode
WHERE k.digest = %(digest)s AND k.disabled_at IS NULL
    AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
