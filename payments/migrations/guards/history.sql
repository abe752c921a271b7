-- The rules of the history: events, and the requests that leave no event.

CREATE FUNCTION guard_event_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    known record;
    broken text;
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
    RETURN NEW;
END $$;

CREATE FUNCTION guard_api_request_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.operation_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM public.payments_operation WHERE id = NEW.operation_id AND payment_id = NEW.payment_id
    ) THEN
        RAISE EXCEPTION 'A request is refused: its operation is another payment''s'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION guard_api_request_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.answered_at > clock_timestamp() - interval '30 days' THEN
        RAISE EXCEPTION 'The deletion of request % is refused: requests are kept for 30 days', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER guard_insert BEFORE INSERT ON payments_event
    FOR EACH ROW EXECUTE FUNCTION guard_event_insert();
CREATE TRIGGER guard_insert BEFORE INSERT ON payments_apirequest
    FOR EACH ROW EXECUTE FUNCTION guard_api_request_insert();
CREATE TRIGGER guard_delete BEFORE DELETE ON payments_apirequest
    FOR EACH ROW EXECUTE FUNCTION guard_api_request_delete();
