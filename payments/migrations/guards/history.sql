-- The rules of requests that leave no event.

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
    IF OLD.responded_at > clock_timestamp() - interval '30 days' THEN
        RAISE EXCEPTION 'The deletion of request % is refused: requests are kept for 30 days', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER guard_insert BEFORE INSERT ON payments_apirequest
    FOR EACH ROW EXECUTE FUNCTION guard_api_request_insert();
CREATE TRIGGER guard_delete BEFORE DELETE ON payments_apirequest
    FOR EACH ROW EXECUTE FUNCTION guard_api_request_delete();
