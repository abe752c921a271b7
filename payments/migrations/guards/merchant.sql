-- The rules of merchants and their API keys. For routes see `route.sql`.

CREATE FUNCTION guard_merchant_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Bank keys are derived from the slug.
    IF (OLD.id, OLD.slug, OLD.created_at) IS DISTINCT FROM (NEW.id, NEW.slug, NEW.created_at) THEN
        RAISE EXCEPTION 'A change of merchant % is refused: its id, slug and date stay', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION guard_api_key_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text := CASE
        WHEN (OLD.id, OLD.merchant_id, OLD.mode, OLD.digest, OLD.last4, OLD.created_at)
            IS DISTINCT FROM (NEW.id, NEW.merchant_id, NEW.mode, NEW.digest, NEW.last4, NEW.created_at)
            THEN 'whose it is, and what it is, stays'
        WHEN OLD.disabled_at IS NOT NULL AND OLD.disabled_at IS DISTINCT FROM NEW.disabled_at
            THEN 'it is disabled once, and stays so'
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'A change of API key % is refused: %', OLD.id, broken USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_update BEFORE UPDATE ON payments_merchant
    FOR EACH ROW EXECUTE FUNCTION guard_merchant_update();
CREATE TRIGGER guard_update BEFORE UPDATE ON payments_apikey
    FOR EACH ROW EXECUTE FUNCTION guard_api_key_update();
