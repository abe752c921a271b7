-- The rules of API keys, with their names, scopes and expiry, and of rate limits.

CREATE OR REPLACE FUNCTION guard_api_key_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text := CASE
        WHEN (OLD.id, OLD.merchant_id, OLD.mode, OLD.digest, OLD.last4, OLD.created_at)
            IS DISTINCT FROM (NEW.id, NEW.merchant_id, NEW.mode, NEW.digest, NEW.last4, NEW.created_at)
            THEN 'whose it is, and what it is, stays'
        WHEN (OLD.uid, OLD.name, OLD.scopes, OLD.replaces_id)
            IS DISTINCT FROM (NEW.uid, NEW.name, NEW.scopes, NEW.replaces_id)
            THEN 'its id, name and scopes stay, and which key it replaces'
        WHEN (OLD.idempotency_key, OLD.fingerprint, OLD.fingerprint_key_id)
            IS DISTINCT FROM (NEW.idempotency_key, NEW.fingerprint, NEW.fingerprint_key_id)
            THEN 'the request that made it stays'
        WHEN OLD.disabled_at IS NOT NULL AND OLD.disabled_at IS DISTINCT FROM NEW.disabled_at
            THEN 'it is disabled once, and stays so'
        WHEN OLD.expires_at IS NOT NULL AND (NEW.expires_at <= OLD.expires_at) IS NOT TRUE
            THEN 'its expiry is never put off'
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'A change of API key % is refused: %', OLD.id, broken USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION guard_rate_limit_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.id, OLD.merchant_id, OLD.mode) IS DISTINCT FROM (NEW.id, NEW.merchant_id, NEW.mode) THEN
        RAISE EXCEPTION 'A change of rate limit % is refused: its merchant and mode stay', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_update BEFORE UPDATE ON payments_ratelimit
    FOR EACH ROW EXECUTE FUNCTION guard_rate_limit_update();
