-- What statements prove about an operation. The guards of operations, payments and releases ask it where neither
-- a reply of the bank nor a decision of staff is evidence.

-- A line shows that a success was executed.
CREATE FUNCTION statement_shows(o public.payments_operation) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT o.state = 'SUCCEEDED' AND o.kind <> 'authorize' AND EXISTS (
        SELECT FROM public.reconciliation_statementline l
        WHERE (l.bank, l.reference, l.target_reference) = (o.bank, o.bank_reference, o.target_reference)
            AND l.kind = CASE o.kind WHEN 'release' THEN 'void' ELSE o.kind END
            AND (l.amount_minor, l.currency) = (o.amount_minor, o.currency)
    )
$$;

-- A line shows that the bank did something else with the hold, or statements cover an operation's time, and no line
-- names what it is about.
CREATE FUNCTION statement_rules_out(o public.payments_operation) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT o.state = 'NOT_EXECUTED' AND CASE
        WHEN o.kind <> 'authorize' AND EXISTS (
            SELECT FROM public.reconciliation_statementline l
            WHERE (l.bank, l.target_reference, l.kind) = (o.bank, o.target_reference,
                CASE o.kind WHEN 'release' THEN 'void' ELSE o.kind END)
            AND NOT EXISTS (SELECT FROM public.reconciliation_match m WHERE m.line_id = l.id)
        ) THEN false
        WHEN o.kind IN ('capture', 'void') AND EXISTS (
            SELECT FROM public.reconciliation_statementline l
            WHERE (l.bank, l.target_reference, l.kind)
                = (o.bank, o.target_reference, CASE o.kind WHEN 'capture' THEN 'void' ELSE 'capture' END)
        ) THEN true
        ELSE coalesce((
            SELECT range_agg(tstzrange(f.covers_from, f.covers_to))
            FROM public.reconciliation_statementfile f WHERE f.bank = o.bank
        ) @> (
            SELECT tstzrange(
                coalesce(min(a.started_at), o.created_at) - interval '5 minutes',
                coalesce(max(a.started_at), o.created_at) + interval '1 hour'
            ) FROM public.payments_attempt a
            WHERE a.operation_id = o.id AND NOT a.is_probe AND a.result <> 'not_sent'
        ), false)
    END
$$;

-- A line shows a hold, or what was done with it.
CREATE FUNCTION statement_has(
    of_bank text, of_kind text, of_reference text, of_target text
) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM public.reconciliation_statementline l WHERE l.bank = of_bank AND l.kind = of_kind
        AND (of_reference IS NULL OR l.reference = of_reference)
        AND (of_target IS NULL OR l.target_reference = of_target AND l.target_reference <> '')
    )
$$;
