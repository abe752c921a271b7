-- The rules of a merchant's idempotency keys.

-- The rules of each row.
CREATE FUNCTION rule_broken_by_idempotency_key(k public.payments_idempotencykey) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN k.mode NOT IN ('live', 'test') THEN 'its mode is unknown'
        WHEN num_nulls(k.response_status, k.response_headers, k.response_body) NOT IN (0, 3) THEN 'a response is whole'
        WHEN k.response_status < 0 THEN 'its status is out of range'
    END
$$;

CREATE FUNCTION guard_idempotency_key_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text := CASE
        WHEN NEW.response_status IS NOT NULL THEN 'there is no response yet'
        WHEN NEW.bank_key_retired THEN 'its bank key is in use'
        ELSE public.rule_broken_by_idempotency_key(NEW)
    END;
BEGIN
    -- So that a key cannot be bound to an operation that another request instructed.
    IF broken IS NULL AND EXISTS (SELECT FROM public.payments_operation WHERE id = NEW.operation_id) THEN
        broken := 'it is claimed before its operation is recorded';
    END IF;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'An idempotency key is refused: %', broken USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION guard_idempotency_key_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    o record;
    is_taken_over constant boolean := OLD.operation_id <> NEW.operation_id;
    is_answered constant boolean := OLD.response_status IS NULL AND NEW.response_status IS NOT NULL;
    broken text;
BEGIN
    SELECT state, bank, bank_idempotency_key INTO o
        FROM public.payments_operation WHERE id = OLD.operation_id;
    broken := CASE
        WHEN (OLD.id, OLD.merchant_id, OLD.mode, OLD.key, OLD.fingerprint, OLD.fingerprint_key_id)
            IS DISTINCT FROM
            (NEW.id, NEW.merchant_id, NEW.mode, NEW.key, NEW.fingerprint, NEW.fingerprint_key_id)
            THEN 'whose it is, and for which request, stays'
        WHEN NOT is_answered AND (OLD.response_status, OLD.response_headers, OLD.response_body)
            IS DISTINCT FROM (NEW.response_status, NEW.response_headers, NEW.response_body)
            THEN 'a response stays, to the byte'
        WHEN is_answered AND (is_taken_over OR o.state NOT IN ('SUCCEEDED', 'DECLINED', 'REJECTED'))
            THEN 'its operation has no final response'
        WHEN is_taken_over AND o.state <> 'NOT_EXECUTED'
            THEN 'only what was not executed is instructed anew'
        WHEN is_taken_over AND NEW.bank_key_retired THEN 'its new bank key is in use'
        WHEN NOT is_taken_over AND OLD.created_at <> NEW.created_at THEN 'its date is that of its claim'
        WHEN OLD.bank_key_retired AND NOT NEW.bank_key_retired AND NOT is_taken_over
            THEN 'a retired bank key stays retired'
        ELSE public.rule_broken_by_idempotency_key(NEW)
    END;
    IF broken IS NULL AND is_taken_over
        AND EXISTS (SELECT FROM public.payments_operation WHERE id = NEW.operation_id)
    THEN
        broken := 'it is claimed before its operation is recorded';
    END IF;
    IF broken IS NULL AND NEW.bank_key_retired AND NOT OLD.bank_key_retired AND NOT EXISTS (
        SELECT FROM public.payments_operation sharing
        JOIN public.payments_attempt a ON a.operation_id = sharing.id AND a.is_late
        WHERE sharing.bank_idempotency_key = o.bank_idempotency_key AND sharing.bank = o.bank
    ) THEN
        broken := 'no late hold was made under its bank key';
    END IF;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'A change of idempotency key % is refused: %', OLD.id, broken
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION guard_idempotency_key_delete() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text := CASE
        WHEN OLD.created_at > clock_timestamp() - interval '30 days' THEN 'keys are kept for 30 days'
        WHEN EXISTS (
            SELECT FROM public.payments_operation WHERE id = OLD.operation_id AND finished_at IS NULL
        ) THEN 'its operation is unfinished'
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'The deletion of idempotency key % is refused: %', OLD.id, broken
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER guard_insert BEFORE INSERT ON payments_idempotencykey
    FOR EACH ROW EXECUTE FUNCTION guard_idempotency_key_insert();
CREATE TRIGGER guard_update BEFORE UPDATE ON payments_idempotencykey
    FOR EACH ROW EXECUTE FUNCTION guard_idempotency_key_update();
CREATE TRIGGER guard_delete BEFORE DELETE ON payments_idempotencykey
    FOR EACH ROW EXECUTE FUNCTION guard_idempotency_key_delete();
