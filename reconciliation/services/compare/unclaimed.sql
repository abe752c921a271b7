-- How many holds of an amount, in a time, no payment of ours claims and nobody has freed.
SELECT count(*)::int AS holds FROM reconciliation_statementline l
WHERE l.bank = %(bank)s AND l.at >= %(begins)s AND l.at < %(ends)s AND l.kind = 'authorize'
    AND l.amount_minor = %(amount_minor)s AND l.currency = %(currency)s
    AND NOT EXISTS (SELECT FROM reconciliation_match m WHERE m.line_id = l.id)
    AND NOT EXISTS (
        SELECT FROM payments_payment p
        WHERE p.bank = l.bank AND p.bank_authorization_id = l.reference AND p.bank_authorization_id <> '')
    AND NOT EXISTS (
        SELECT FROM payments_operation r WHERE r.bank = l.bank AND r.target_reference = l.reference
            AND r.target_reference <> '' AND r.kind = 'release' AND r.state <> 'NOT_EXECUTED')
    AND NOT EXISTS (
        SELECT FROM reconciliation_statementline x
        WHERE x.bank = l.bank AND x.target_reference = l.reference AND x.target_reference <> '')
