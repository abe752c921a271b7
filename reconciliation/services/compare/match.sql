-- Match the considered lines that show an operation of ours in every part, and count them.
WITH agreeing AS (
    SELECT l.id AS line, o.id AS operation
    FROM considered_line c JOIN reconciliation_statementline l ON l.id = c.id AND l.kind = 'authorize'
    JOIN payments_payment p ON p.bank = l.bank AND p.bank_authorization_id = l.reference
        AND p.bank_authorization_id <> ''
    JOIN payments_operation o ON o.payment_id = p.id AND o.kind = 'authorize' AND o.state = 'SUCCEEDED'
        AND o.bank_reference = l.reference
        AND o.amount_minor = l.amount_minor AND o.currency = l.currency
    UNION ALL
    SELECT l.id, o.id
    FROM considered_line c JOIN reconciliation_statementline l ON l.id = c.id AND l.kind <> 'authorize'
    JOIN payments_operation o ON o.target_reference = l.target_reference AND o.target_reference <> ''
        AND o.bank = l.bank AND o.state = 'SUCCEEDED' AND o.bank_reference = l.reference
        AND CASE o.kind WHEN 'release' THEN 'void' ELSE o.kind END = l.kind
        AND o.amount_minor = l.amount_minor AND o.currency = l.currency
), made AS (
    INSERT INTO reconciliation_match (line_id, operation_id)
    SELECT DISTINCT ON (operation) line, operation FROM agreeing a
    WHERE NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.line_id = a.line)
        AND NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.operation_id = a.operation)
    ORDER BY operation, line
    ON CONFLICT DO NOTHING
    RETURNING line_id
)
SELECT l.currency, count(*), sum(l.amount_minor)::bigint
FROM made JOIN reconciliation_statementline l ON l.id = made.line_id GROUP BY l.currency
