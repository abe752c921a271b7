-- The operations that the bank's statements may tell more about: successes without a reference whose target a
-- considered line names, doubts and reviews, and those that await the statement.
SELECT o.id FROM considered_line c
JOIN reconciliation_statementline l ON l.id = c.id AND l.kind <> 'authorize'
JOIN payments_operation o ON o.target_reference = l.target_reference AND o.target_reference <> ''
    AND o.bank = l.bank AND o.state = 'SUCCEEDED' AND o.bank_reference = ''
WHERE NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.line_id = l.id)
UNION
SELECT o.id FROM payments_operation o
WHERE o.bank = %(bank)s AND (o.state IN ('OPEN', 'NEEDS_REVIEW') OR o.awaiting_statement)
    AND (o.state <> 'OPEN' OR o.created_at < %(now)s::timestamptz - %(grace)s::interval)
