-- The first and the last moment that a bank's statements cover; a gap between them is inside.
SELECT min(f.covers_from) AS covers_from, max(f.covers_to) AS covers_to
FROM reconciliation_statementfile f WHERE f.bank = %(bank)s
