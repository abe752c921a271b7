-- Where a run begins: what the run before has left, and what files imported since then touch. Events of the last
-- minutes count as not seen: their transactions may not have ended.
WITH before AS (
    SELECT r.resumes_from AS left_by FROM reconciliation_run r
    WHERE r.bank = %(bank)s AND r.kind = 'statements' AND r.ended_at IS NOT NULL
        AND (r.resumes_from ->> 'grace')::numeric = extract(epoch FROM %(grace)s::interval)
    ORDER BY r.started_at DESC, r.id DESC LIMIT 1
), new_file AS (
    SELECT max(f.id) AS last, min(f.covers_from) AS since FROM reconciliation_statementfile f
    WHERE f.bank = %(bank)s AND f.id > coalesce((SELECT (left_by ->> 'file')::bigint FROM before), 0)
), touched AS (  -- the run whose events are all older than what the new files cover
    SELECT r.resumes_from AS left_by FROM reconciliation_run r, new_file
    WHERE r.bank = %(bank)s AND r.kind = 'statements' AND r.ended_at IS NOT NULL
        AND r.started_at < new_file.since - %(grace)s::interval
    ORDER BY r.started_at DESC, r.id DESC LIMIT 1
)
SELECT coalesce((SELECT (left_by ->> 'file')::bigint FROM before), 0) AS file,
    (SELECT (left_by ->> 'late_since')::timestamptz FROM before) AS late_since,
    least(
        coalesce((SELECT (left_by ->> 'event')::bigint FROM before), 0),
        CASE WHEN new_file.since IS NOT NULL
            THEN coalesce((SELECT (left_by ->> 'event')::bigint FROM touched), 0) END
    ) AS event,
    coalesce(new_file.last, (SELECT (left_by ->> 'file')::bigint FROM before), 0) AS next_file,
    coalesce((
        SELECT e.id FROM payments_event e WHERE e.at < clock_timestamp() - interval '10 minutes'
        ORDER BY e.id DESC LIMIT 1
    ), 0) AS next_event
FROM new_file
