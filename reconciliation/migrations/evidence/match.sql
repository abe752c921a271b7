-- A match shows its operation in every part. Asked of all rows of an INSERT at once: a foreign key would lock each line
-- and each operation, and neither is ever deleted.
CREATE FUNCTION guard_match_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong bigint;
BEGIN
    SELECT n.line_id INTO wrong FROM new_match n
    LEFT JOIN public.reconciliation_statementline l ON l.id = n.line_id
    LEFT JOIN public.payments_operation o ON o.id = n.operation_id AND o.state = 'SUCCEEDED'
        AND (o.bank, o.bank_reference, o.target_reference) = (l.bank, l.reference, l.target_reference)
        AND (o.amount_minor, o.currency) = (l.amount_minor, l.currency)
        AND CASE o.kind WHEN 'release' THEN 'void' ELSE o.kind END = l.kind
    WHERE o.id IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'A match is refused: line % does not show its operation', wrong
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER guard_insert AFTER INSERT ON reconciliation_match REFERENCING NEW TABLE AS new_match
    FOR EACH STATEMENT EXECUTE FUNCTION guard_match_insert();
