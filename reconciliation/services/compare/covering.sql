-- The time without a gap that a bank's statements cover and that contains this one; no row if none does.
SELECT lower(period) AS begins, upper(period) AS ends FROM (
    SELECT unnest(range_agg(tstzrange(f.covers_from, f.covers_to))) AS period
    FROM reconciliation_statementfile f WHERE f.bank = %(bank)s
) AS coverage WHERE period @> tstzrange(%(begins)s, %(ends)s)
