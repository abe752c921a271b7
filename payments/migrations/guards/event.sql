-- The rules of events, and the chain that shows whether one was changed afterwards.

-- A digest of an event and of its payment's event before it: who rewrites one must rewrite all that follow.
-- The audit computes each digest again.
CREATE FUNCTION event_digest(e public.payments_event, previous bytea) RETURNS bytea
LANGUAGE sql STABLE AS $$
    SELECT sha256(coalesce(previous, '') || convert_to(jsonb_build_array(
        e.id, e.payment_id, e.operation_id, e.type, (extract(epoch FROM e.at) * 1000000)::bigint,
        e.actor, e.request_id, e.evidence
    )::text, 'UTF8'))
$$;

CREATE FUNCTION guard_event_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    known record;
    broken text;
    last record;
BEGIN
    SELECT o.payment_id, o.kind, o.state, o.finished_at,
        CASE NEW.type  -- when its payment reached the event's state
            WHEN 'payment.authorized' THEN p.authorized_at WHEN 'payment.captured' THEN p.captured_at
            WHEN 'payment.voided' THEN p.voided_at
            WHEN 'payment.expired' THEN p.expired_at WHEN 'payment.declined' THEN p.declined_at
            WHEN 'payment.failed' THEN p.failed_at ELSE NEW.at
        END AS reached
        INTO known FROM (SELECT) AS it
        LEFT JOIN public.payments_operation o ON o.id = NEW.operation_id
        LEFT JOIN public.payments_payment p ON p.id = NEW.payment_id;
    broken := CASE
        WHEN NEW.type = 'payment.refunded'  -- in part, too: each refund has its own
            AND (known.kind, known.state, known.finished_at) IS DISTINCT FROM ('refund', 'SUCCEEDED', NEW.at)
            THEN 'its operation gave nothing back then'
        -- Staff record when the bank did it, which is before now.
        WHEN NEW.at IS DISTINCT FROM known.reached
            AND (known.reached < NEW.at AND known.finished_at = NEW.at) IS NOT TRUE
            THEN 'its payment did not come to this state then'
        WHEN NEW.operation_id IS NOT NULL AND known.payment_id IS DISTINCT FROM NEW.payment_id
            THEN 'its operation is another payment''s'
        WHEN NEW.type IN
            ('capture.not_executed', 'void.not_executed', 'refund.not_executed', 'release.not_executed')
            AND (known.state, known.finished_at) IS DISTINCT FROM ('NOT_EXECUTED', NEW.at)
            THEN 'its operation did not end so then'
        WHEN NEW.type = 'release.succeeded'
            AND (known.state, known.finished_at) IS DISTINCT FROM ('SUCCEEDED', NEW.at)
            THEN 'its operation did not end so then'
        WHEN NEW.type = 'operation.needs_review' AND known.state IS DISTINCT FROM 'NEEDS_REVIEW'
            THEN 'its operation is not under review'
    END;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'An event % is refused: %', NEW.type, broken USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.payment_id IS NOT NULL THEN
        -- One chain per payment: its writers wait for each other until the transaction ends.
        PERFORM pg_advisory_xact_lock(1, hashtext(NEW.payment_id::text));
        SELECT id, digest INTO last FROM public.payments_event
            WHERE payment_id = NEW.payment_id ORDER BY id DESC LIMIT 1;
        IF last.id > NEW.id THEN  -- the number was taken before the wait
            NEW.id := nextval(pg_get_serial_sequence('public.payments_event', 'id'));
        END IF;
        NEW.digest := public.event_digest(NEW, last.digest);
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_insert BEFORE INSERT ON payments_event
    FOR EACH ROW EXECUTE FUNCTION guard_event_insert();
