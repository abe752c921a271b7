"""The audit's rules about statements, matches and differences.

Each query gives a row (subject, detail) for each violation, as in `audit_rules`.
"""

from reconciliation.services.rules import Rule

_OPERATION = "'op_' || replace(o.id::text, '-', '')"
_OF_LINE = "CASE o.kind WHEN 'release' THEN 'void' ELSE o.kind END"

COMPARISON = [
    Rule(
        "matches_agree",
        "A line that is matched shows its operation in every part, and the operation has succeeded.",
        f"""
        SELECT {_OPERATION}, 'line ' || l.id || ' shows ' || l.kind || ' ' || l.reference || ' of ' || l.amount_minor
        FROM reconciliation_match m JOIN reconciliation_statementline l ON l.id = m.line_id
        JOIN payments_operation o ON o.id = m.operation_id
        WHERE o.state <> 'SUCCEEDED'
            OR (l.bank, l.kind, l.reference, l.target_reference, l.amount_minor, l.currency)
            <> (o.bank, {_OF_LINE}, o.bank_reference, o.target_reference, o.amount_minor, o.currency)""",
    ),
    Rule(
        "what_matches_is_no_difference",
        "No open difference is about a line or an operation that matches, but for lines that a file had several times.",
        """
        SELECT d.subject, d.kind FROM reconciliation_difference d
        JOIN reconciliation_run r ON r.id = d.found_by_id AND r.kind = 'statements'
        WHERE d.state IN ('OPEN', 'ASSIGNED') AND d.kind <> 'duplicate_at_bank' AND (
            EXISTS (SELECT FROM reconciliation_match m WHERE m.line_id = d.line_id)
            OR d.kind = 'missing_at_bank'
                AND EXISTS (SELECT FROM reconciliation_match m WHERE m.operation_id = d.operation_id))""",
    ),
    Rule(
        "differences_have_their_history",
        "A difference's steps begin when it was opened and give its state.",
        """
        SELECT d.subject, d.kind || ' is ' || d.state || ', its steps: ' || coalesce(told.steps, 'none')
        FROM reconciliation_difference d LEFT JOIN (
            SELECT e.difference_id, string_agg(e.type, ', ' ORDER BY e.id) AS steps,
                (array_agg(e.type ORDER BY e.id))[1] AS first,
                (array_agg(e.type ORDER BY e.id DESC) FILTER (WHERE e.type <> 'changed'))[1] AS last
            FROM reconciliation_differenceevent e GROUP BY e.difference_id
        ) told ON told.difference_id = d.id
        WHERE told.first IS DISTINCT FROM 'opened' OR d.state IS DISTINCT FROM CASE told.last
            WHEN 'opened' THEN 'OPEN' WHEN 'reopened' THEN 'OPEN' WHEN 'given_back' THEN 'OPEN'
            WHEN 'assigned' THEN 'ASSIGNED' WHEN 'resolved' THEN 'RESOLVED' WHEN 'accepted' THEN 'ACCEPTED' END""",
    ),
    Rule(
        "what_statements_told_is_on_them",
        "Each line that an event names as evidence is on a statement.",
        """
        SELECT 'event ' || e.id, e.evidence #>> '{statement,reference}' FROM payments_event e
        JOIN payments_operation o ON o.id = e.operation_id
        WHERE e.evidence #>> '{statement,reference}' IS NOT NULL AND NOT EXISTS (
            SELECT FROM reconciliation_statementline l
            WHERE l.bank = o.bank AND l.reference = e.evidence #>> '{statement,reference}')""",
    ),
]
