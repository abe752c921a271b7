-- The rules of attempts: recorded before they are sent, ended once.

-- The rules of each row.
CREATE FUNCTION rule_broken_by_attempt(a public.payments_attempt) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN a.result NOT IN ('', 'not_sent', 'silent', 'answered') THEN 'its result is unknown'
        WHEN a.said NOT IN (
            '', 'approved', 'insufficient_funds', 'card_expired', 'invalid_card', 'invalid_cvv', 'declined',
            'authorization_expired', 'already_used', 'already_captured', 'already_voided', 'already_refunded',
            'bank_error', 'not_done', 'silence', 'not_sent', 'mismatch'
        ) THEN 'its word is unknown'
        WHEN a.verdict NOT IN ('', 'contradiction', 'negative_probe') THEN 'its verdict is unknown'
        WHEN (a.ended_at IS NOT NULL) <> (a.result <> '') THEN 'its end has a result'
        WHEN (a.ended_at IS NOT NULL) <> (a.said <> '') THEN 'its end has a word'
        WHEN a.number < 0 OR a.epoch < 0 OR a.http_status < 0 OR a.duration_ms < 0
            THEN 'its figures are out of range'
    END
$$;

CREATE FUNCTION guard_attempt_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    o record;
    broken text := CASE
        WHEN NEW.ended_at IS NOT NULL OR NEW.result <> '' OR NEW.in_doubt IS NOT NULL
            OR NEW.said <> '' OR NEW.http_status IS NOT NULL OR NEW.reply <> '' OR NEW.bank_reference <> ''
            OR NEW.is_replay IS NOT NULL OR NEW.duration_ms IS NOT NULL OR NEW.verdict <> '' OR NEW.is_late
            OR NEW.hold_expires_at IS NOT NULL
            THEN 'it begins without an end'
        ELSE public.rule_broken_by_attempt(NEW)
    END;
BEGIN
    IF broken IS NULL THEN
        SELECT lease_epoch, finished_at, look_again_at INTO o
            FROM public.payments_operation WHERE id = NEW.operation_id;
        broken := CASE
            WHEN NEW.epoch > o.lease_epoch THEN 'only a holder of the lease sends'
            WHEN o.finished_at IS NOT NULL AND o.look_again_at IS NULL THEN 'its operation has ended'
        END;
    END IF;
    IF broken IS NULL AND NEW.number <> 1 AND NOT EXISTS (
        SELECT FROM public.payments_attempt WHERE operation_id = NEW.operation_id AND number = NEW.number - 1
    ) THEN
        broken := 'attempts are numbered one after another';
    END IF;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'An attempt is refused: %', broken USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION guard_attempt_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text := CASE
        WHEN OLD.ended_at IS NOT NULL THEN 'it has ended, and stays'
        WHEN (OLD.id, OLD.operation_id, OLD.number, OLD.epoch, OLD.started_at, OLD.is_probe)
            IS DISTINCT FROM (NEW.id, NEW.operation_id, NEW.number, NEW.epoch, NEW.started_at, NEW.is_probe)
            THEN 'what it began with stays'
        WHEN NEW.ended_at IS NULL THEN 'it changes when it ends'
        WHEN (NEW.bank_reference <> '') <> (NEW.said = 'approved') THEN 'a reference comes with an approval'
        WHEN NEW.result <> CASE NEW.said
            WHEN 'not_sent' THEN 'not_sent' WHEN 'silence' THEN 'silent' WHEN 'mismatch' THEN 'silent'
            ELSE 'answered' END THEN 'its result is what the bank''s word says'
        WHEN NEW.result <> 'answered' AND NEW.is_replay THEN 'only a readable reply is a replay'
        WHEN NEW.result = 'silent' AND NEW.in_doubt IS NOT TRUE THEN 'silence leaves doubt'
        ELSE public.rule_broken_by_attempt(NEW)
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'A change of attempt % is refused: %', OLD.id, broken USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_insert BEFORE INSERT ON payments_attempt
    FOR EACH ROW EXECUTE FUNCTION guard_attempt_insert();
CREATE TRIGGER guard_update BEFORE UPDATE ON payments_attempt
    FOR EACH ROW EXECUTE FUNCTION guard_attempt_update();
