-- The rules of differences: what one is about stays, and its case moves along its edges only.

CREATE FUNCTION guard_difference_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text := CASE
        WHEN (OLD.id, OLD.kind, OLD.bank, OLD.subject, OLD.line_id, OLD.operation_id, OLD.opened_at)
            IS DISTINCT FROM (NEW.id, NEW.kind, NEW.bank, NEW.subject, NEW.line_id, NEW.operation_id, NEW.opened_at)
            THEN 'what it is about stays'
        WHEN OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
            ('OPEN', 'ASSIGNED'), ('ASSIGNED', 'OPEN'),
            ('OPEN', 'RESOLVED'), ('ASSIGNED', 'RESOLVED'), ('ACCEPTED', 'RESOLVED'),
            ('OPEN', 'ACCEPTED'), ('ASSIGNED', 'ACCEPTED'),
            ('RESOLVED', 'OPEN'), ('ACCEPTED', 'OPEN')
        ) THEN format('%s does not become %s', OLD.state, NEW.state)
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'A change of difference % is refused: %', OLD.id, broken USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_update BEFORE UPDATE ON reconciliation_difference
    FOR EACH ROW EXECUTE FUNCTION guard_difference_update();

CREATE FUNCTION guard_run_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'A change of run % is refused: it has ended', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_update BEFORE UPDATE ON reconciliation_run
    FOR EACH ROW EXECUTE FUNCTION guard_run_update();
