-- The rules of routes: only their bank changes; they may be deleted.

CREATE FUNCTION guard_route_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.id, OLD.merchant_id, OLD.mode, OLD.currency)
        IS DISTINCT FROM (NEW.id, NEW.merchant_id, NEW.mode, NEW.currency) THEN
        RAISE EXCEPTION 'A change of route % is refused: its merchant, mode and currency stay', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_update BEFORE UPDATE ON payments_route
    FOR EACH ROW EXECUTE FUNCTION guard_route_update();
