-- The rules of settlements: a line is of money that moved for the settlement's merchant, and the sums are right.

CREATE FUNCTION guard_settlement_line_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    known record;
    broken text;
BEGIN
    SELECT s.merchant_id, s.mode, s.bank, s.currency,
        o.state, o.kind, o.amount_minor, (p.merchant_id, p.mode, p.bank, p.currency) AS of_payment,
        (c.merchant_id, c.mode, c.bank, c.currency) AS of_correction, c.amount_minor AS corrected
        INTO known FROM public.reconciliation_settlement s
        LEFT JOIN public.payments_operation o ON o.id = NEW.operation_id
        LEFT JOIN public.payments_payment p ON p.id = o.payment_id
        LEFT JOIN public.reconciliation_correction c ON c.id = NEW.correction_id
        WHERE s.id = NEW.settlement_id;
    broken := CASE
        WHEN NEW.operation_id IS NOT NULL AND known.of_payment IS DISTINCT FROM
            (known.merchant_id, known.mode, known.bank, known.currency) THEN 'its operation is another merchant''s'
        WHEN NEW.correction_id IS NOT NULL AND known.of_correction IS DISTINCT FROM
            (known.merchant_id, known.mode, known.bank, known.currency) THEN 'its correction is another merchant''s'
        WHEN NEW.operation_id IS NOT NULL AND (
            known.state <> 'SUCCEEDED' OR NEW.amount_minor IS DISTINCT FROM
                CASE known.kind WHEN 'capture' THEN known.amount_minor WHEN 'refund' THEN -known.amount_minor END
        ) THEN 'its operation moved another amount'
        WHEN NEW.correction_id IS NOT NULL AND NEW.amount_minor <> known.corrected
            THEN 'its correction is of another amount'
        WHEN NEW.fee_minor < 0 OR NEW.fee_minor > 0 AND known.kind IS DISTINCT FROM 'capture'
            THEN 'only a capture has a fee'
    END;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'A settlement line is refused: %', broken USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_insert BEFORE INSERT ON reconciliation_settlementline
    FOR EACH ROW EXECUTE FUNCTION guard_settlement_line_insert();

-- Asked as the transaction commits, when all lines are there.
CREATE FUNCTION guard_settlement_sums() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_right boolean;
BEGIN
    SELECT (s.captured_minor, s.refunded_minor, s.fees_minor, s.corrected_minor) = (
        coalesce(sum(l.amount_minor) FILTER (WHERE l.operation_id IS NOT NULL AND l.amount_minor > 0), 0),
        coalesce(-sum(l.amount_minor) FILTER (WHERE l.operation_id IS NOT NULL AND l.amount_minor < 0), 0),
        coalesce(sum(l.fee_minor), 0),
        coalesce(sum(l.amount_minor) FILTER (WHERE l.correction_id IS NOT NULL), 0)
    ) INTO is_right FROM public.reconciliation_settlement s
    LEFT JOIN public.reconciliation_settlementline l ON l.settlement_id = s.id
    WHERE s.id = NEW.id GROUP BY s.id;
    IF NOT is_right THEN
        RAISE EXCEPTION 'Settlement % is refused: its sums are not those of its lines', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'settlement_sums';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER settlement_sums AFTER INSERT ON reconciliation_settlement
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION guard_settlement_sums();
