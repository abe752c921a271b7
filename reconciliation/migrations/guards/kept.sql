-- Tables whose rows are never deleted, and those whose rows are never changed either.
DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY[
        'statementfile', 'statementline', 'match', 'differenceevent', 'settlement', 'settlementline', 'correction',
        'feeterms'
    ] LOOP
        EXECUTE format(
            'CREATE TRIGGER guard_update BEFORE UPDATE ON reconciliation_%s'
            ' FOR EACH ROW EXECUTE FUNCTION guard_kept()', name
        );
    END LOOP;
    FOREACH name IN ARRAY ARRAY[
        'statementfile', 'statementline', 'match', 'run', 'difference', 'differenceevent', 'settlement',
        'settlementline', 'correction', 'feeterms'
    ] LOOP
        EXECUTE format(
            'CREATE TRIGGER guard_delete BEFORE DELETE ON reconciliation_%s'
            ' FOR EACH ROW EXECUTE FUNCTION guard_kept()', name
        );
        EXECUTE format(
            'CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON reconciliation_%s'
            ' FOR EACH STATEMENT EXECUTE FUNCTION guard_kept()', name
        );
    END LOOP;
END $$;
