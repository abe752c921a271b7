-- Tables whose rows are never changed or deleted.

CREATE FUNCTION guard_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: its rows are kept', TG_OP, TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER guard_update BEFORE UPDATE ON payments_event FOR EACH ROW EXECUTE FUNCTION guard_kept();
CREATE TRIGGER guard_update BEFORE UPDATE ON payments_apirequest FOR EACH ROW EXECUTE FUNCTION guard_kept();
DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY[
        'payment', 'operation', 'attempt', 'event', 'discrepancy', 'resolution', 'merchant', 'apikey'
    ] LOOP
        EXECUTE format(
            'CREATE TRIGGER guard_delete BEFORE DELETE ON payments_%s'
            ' FOR EACH ROW EXECUTE FUNCTION guard_kept()', name
        );
    END LOOP;
    FOREACH name IN ARRAY ARRAY[
        'payment', 'operation', 'attempt', 'event', 'discrepancy', 'resolution', 'merchant', 'apikey',
        'idempotencykey', 'apirequest'
    ] LOOP
        EXECUTE format(
            'CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON payments_%s'
            ' FOR EACH STATEMENT EXECUTE FUNCTION guard_kept()', name
        );
    END LOOP;
END $$;
