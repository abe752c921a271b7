-- For each bank, mode and UTC day: how many payments await its statement, and whether it has come.
WITH awaited AS (
    SELECT o.id, o.payment_id, o.bank, p.mode,
        coalesce(min(a.started_at), o.created_at) - %(before)s::interval AS begins,
        coalesce(max(a.started_at), o.created_at) + %(after)s::interval AS ends
    FROM payments_operation o
    JOIN payments_payment p ON p.id = o.payment_id
    LEFT JOIN payments_attempt a ON a.operation_id = o.id AND NOT a.is_probe AND a.result <> 'not_sent'
    WHERE o.awaiting_statement
    GROUP BY o.id, p.mode
), covered AS (
    SELECT bank, range_agg(tstzrange(covers_from, covers_to)) AS time FROM reconciliation_statementfile GROUP BY bank
)
SELECT w.bank, w.mode, day::date, count(DISTINCT w.payment_id),
    bool_and(coalesce(c.time @> (
        tstzrange(w.begins, w.ends) * tstzrange(day AT TIME ZONE 'UTC', (day + interval '1 day') AT TIME ZONE 'UTC')
    ), false))
FROM awaited w
CROSS JOIN LATERAL generate_series(
    date_trunc('day', w.begins AT TIME ZONE 'UTC'), w.ends AT TIME ZONE 'UTC', interval '1 day'
) AS day
LEFT JOIN covered c ON c.bank = w.bank
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
