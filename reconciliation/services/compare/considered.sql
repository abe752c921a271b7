-- The lines that a run looks at: new ones, those that were late when the run before ended, those of a known
-- difference, and holds whose release has come to nothing since. A matched one is done with, unless its file had
-- it several times.
CREATE TEMPORARY TABLE considered_line (id bigint PRIMARY KEY) ON COMMIT DROP;

INSERT INTO considered_line
SELECT found.id FROM (
    SELECT l.id FROM reconciliation_statementline l
    WHERE l.file_id IN (
        SELECT f.id FROM reconciliation_statementfile f WHERE f.bank = %(bank)s AND f.id > %(file)s)
    UNION
    SELECT l.id FROM reconciliation_statementline l WHERE l.bank = %(bank)s AND l.at >= %(late_since)s::timestamptz
    UNION
    SELECT d.line_id FROM reconciliation_difference d WHERE d.bank = %(bank)s AND d.line_id IS NOT NULL
    UNION
    SELECT l.id FROM payments_event e
    JOIN payments_operation o ON o.id = e.operation_id AND o.bank = %(bank)s
    JOIN reconciliation_statementline l
        ON l.bank = o.bank AND l.reference = o.target_reference AND l.kind = 'authorize'
    WHERE e.id > %(event)s AND e.type = 'release.not_executed'
) AS found JOIN reconciliation_statementline l ON l.id = found.id
WHERE l.repeats > 0 OR NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.line_id = l.id);

ANALYZE considered_line
