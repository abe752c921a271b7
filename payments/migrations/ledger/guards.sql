-- What may be written into the ledger: entries of events, complete and balanced, and nothing afterwards.

CREATE FUNCTION guard_ledger_entry_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text := CASE
        WHEN NEW.mode NOT IN ('live', 'test') THEN 'its mode is unknown'
        WHEN NEW.currency NOT IN ('USD', 'EUR', 'GBP', 'JPY') THEN 'its currency is unknown'
        WHEN NOT EXISTS (
            SELECT FROM public.payments_event e
            LEFT JOIN public.payments_payment p ON p.id = e.payment_id
            WHERE e.id = NEW.event_id AND (e.payment_id IS NULL OR (p.merchant_id, p.mode, p.bank, p.currency)
                = (NEW.merchant_id, NEW.mode, NEW.bank, NEW.currency))
        ) THEN 'its event is of another payment'
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'An entry is refused: %', broken USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

-- Asked as the transaction commits, when all postings are there. An entry has one currency, so one sum.
CREATE FUNCTION check_balance(entry bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    broken text;
BEGIN
    SELECT CASE
        WHEN count(*) < 2 THEN 'it has two postings or more'
        WHEN sum(amount_minor) <> 0 THEN format('it does not balance: its postings add up to %s', sum(amount_minor))
        WHEN bool_or(amount_minor = 0) THEN 'a posting moves nothing'
        WHEN bool_or(account NOT IN ('holds', 'holds_contra', 'bank_receivable', 'merchant_payable'))
            THEN 'its account is unknown'
    END INTO broken FROM public.payments_ledgerposting WHERE entry_id = entry;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'Entry % is refused: %', entry, broken
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_balances';
    END IF;
END $$;

CREATE FUNCTION guard_entry_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.check_balance(NEW.event_id);
    RETURN NULL;
END $$;

CREATE FUNCTION guard_posting_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.check_balance(NEW.entry_id);
    RETURN NULL;
END $$;

CREATE TRIGGER guard_insert BEFORE INSERT ON payments_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION guard_ledger_entry_insert();
CREATE CONSTRAINT TRIGGER entry_balances AFTER INSERT ON payments_ledgerentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION guard_entry_balance();
CREATE CONSTRAINT TRIGGER posting_balances AFTER INSERT ON payments_ledgerposting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION guard_posting_balance();
DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY['ledgerentry', 'ledgerposting'] LOOP
        EXECUTE format(
            'CREATE TRIGGER guard_update BEFORE UPDATE ON payments_%s'
            ' FOR EACH ROW EXECUTE FUNCTION guard_kept()', name
        );
        EXECUTE format(
            'CREATE TRIGGER guard_delete BEFORE DELETE ON payments_%s'
            ' FOR EACH ROW EXECUTE FUNCTION guard_kept()', name
        );
        EXECUTE format(
            'CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON payments_%s'
            ' FOR EACH STATEMENT EXECUTE FUNCTION guard_kept()', name
        );
    END LOOP;
END $$;
