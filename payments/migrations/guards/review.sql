-- The rules of the review queue: its cases, proposals and assignments.

CREATE FUNCTION guard_discrepancy_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text := CASE
        WHEN NEW.closed_at IS NOT NULL THEN 'it begins open'
        WHEN EXISTS (
            SELECT FROM public.payments_operation
            WHERE id = NEW.operation_id AND payment_id IS DISTINCT FROM NEW.payment_id
        ) THEN 'its operation is another payment''s'
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'A discrepancy is refused: %', broken USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION guard_discrepancy_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text := CASE
        WHEN (
            OLD.id, OLD.kind, OLD.operation_id, OLD.payment_id, OLD.bank, OLD.bank_reference, OLD.evidence,
            OLD.opened_at
        ) IS DISTINCT FROM (
            NEW.id, NEW.kind, NEW.operation_id, NEW.payment_id, NEW.bank, NEW.bank_reference, NEW.evidence,
            NEW.opened_at
        ) THEN 'what was found stays'
        WHEN OLD.closed_at IS NOT NULL AND OLD.closed_at IS DISTINCT FROM NEW.closed_at
            THEN 'it is closed once'
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'A change of discrepancy % is refused: %', OLD.id, broken
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

-- Checked at the commit: what closes it may be recorded after it.
CREATE FUNCTION guard_discrepancy_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.operation_id IS NOT NULL
    AND NOT (NEW.kind <> 'late_reply' AND EXISTS (  -- its operation has ended
        SELECT FROM public.payments_operation WHERE id = NEW.operation_id AND finished_at IS NOT NULL
    )) AND NOT EXISTS (  -- another operation has brought it into our books
        SELECT FROM public.payments_operation settled
        JOIN public.payments_operation o ON o.payment_id = settled.payment_id AND o.kind = settled.kind
        WHERE o.id = NEW.operation_id AND settled.state = 'SUCCEEDED'
        AND settled.finished_at >= NEW.opened_at
    ) AND NOT EXISTS (  -- a newer case has replaced it
        SELECT FROM public.payments_discrepancy
        WHERE operation_id = NEW.operation_id AND closed_at IS NULL AND id > NEW.id
    ) AND NOT EXISTS (  -- staff have settled it
        SELECT FROM public.payments_resolution
        WHERE operation_id = NEW.operation_id AND state = 'APPLIED' AND decided_at >= NEW.opened_at
    ) THEN
        RAISE EXCEPTION 'The end of discrepancy % is refused: nothing has settled it', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION guard_resolution_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text := CASE
        WHEN NEW.state <> 'PROPOSED' OR NEW.decided_at IS NOT NULL OR NEW.decided_by_id IS NOT NULL
            THEN 'it begins as PROPOSED'
        WHEN EXISTS (
            SELECT FROM public.payments_operation
            WHERE id = NEW.operation_id AND payment_id IS DISTINCT FROM NEW.payment_id
        ) THEN 'its operation is another payment''s'
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'A resolution is refused: %', broken USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION guard_resolution_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text := CASE
        WHEN (
            OLD.id, OLD.kind, OLD.payment_id, OLD.operation_id, OLD.bank, OLD.amount_minor, OLD.currency,
            OLD.reference, OLD.evidence, OLD.attempt, OLD.quote, OLD.covers_from, OLD.covers_to, OLD.reason,
            OLD.executed_at, OLD.seen_epoch, OLD.proposed_by_id, OLD.proposed_at, OLD.needs_second
        ) IS DISTINCT FROM (
            NEW.id, NEW.kind, NEW.payment_id, NEW.operation_id, NEW.bank, NEW.amount_minor, NEW.currency,
            NEW.reference, NEW.evidence, NEW.attempt, NEW.quote, NEW.covers_from, NEW.covers_to, NEW.reason,
            NEW.executed_at, NEW.seen_epoch, NEW.proposed_by_id, NEW.proposed_at, NEW.needs_second
        ) THEN 'what was proposed stays'
        WHEN OLD.state <> 'PROPOSED' THEN 'it is decided once'
        WHEN NEW.state NOT IN ('APPLIED', 'REFUSED', 'OUTDATED') THEN 'it changes when it is decided'
        WHEN NEW.decided_at IS NULL OR (NEW.decided_by_id IS NULL) <> (NEW.state = 'OUTDATED')
            THEN 'it says who has decided it, and when'
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'A change of resolution % is refused: %', OLD.id, broken
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION guard_assignment_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.id, OLD.operation_id) IS DISTINCT FROM (NEW.id, NEW.operation_id) THEN
        RAISE EXCEPTION 'A change of assignment % is refused: its operation stays', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_insert BEFORE INSERT ON payments_discrepancy
    FOR EACH ROW EXECUTE FUNCTION guard_discrepancy_insert();
CREATE TRIGGER guard_update BEFORE UPDATE ON payments_discrepancy
    FOR EACH ROW EXECUTE FUNCTION guard_discrepancy_update();
CREATE CONSTRAINT TRIGGER guard_closed AFTER UPDATE OF closed_at ON payments_discrepancy
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL)
    EXECUTE FUNCTION guard_discrepancy_closed();
CREATE TRIGGER guard_insert BEFORE INSERT ON payments_resolution
    FOR EACH ROW EXECUTE FUNCTION guard_resolution_insert();
CREATE TRIGGER guard_update BEFORE UPDATE ON payments_resolution
    FOR EACH ROW EXECUTE FUNCTION guard_resolution_update();
CREATE TRIGGER guard_update BEFORE UPDATE ON payments_assignment
    FOR EACH ROW EXECUTE FUNCTION guard_assignment_update();
