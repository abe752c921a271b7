-- The rules of operations.

-- The rules of each row.
CREATE FUNCTION rule_broken_by_operation(o public.payments_operation) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN o.kind NOT IN ('authorize', 'capture', 'void', 'refund', 'release') THEN 'its kind is unknown'
        WHEN o.currency NOT IN ('USD', 'EUR', 'GBP', 'JPY') THEN 'its currency is unknown'
        WHEN o.state NOT IN ('OPEN', 'NEEDS_REVIEW', 'SUCCEEDED', 'DECLINED', 'REJECTED', 'NOT_EXECUTED')
            THEN 'its state is unknown'
        WHEN o.amount_minor NOT BETWEEN 1 AND 99999999 THEN 'its amount is out of range'
        WHEN o.ordinal < 0 OR o.lease_epoch < 0 OR o.strays_awaited < 0 THEN 'its counts are out of range'
        WHEN o.payment_id IS NULL AND o.kind <> 'release' THEN 'only a release has no payment'
        WHEN o.target_reference = '' AND o.kind <> 'authorize' THEN 'only an authorize has no target'
        WHEN (o.state IN ('SUCCEEDED', 'DECLINED', 'REJECTED', 'NOT_EXECUTED'))
            <> (o.finished_at IS NOT NULL) THEN 'finished_at dates its end'
        WHEN o.state IN ('DECLINED', 'REJECTED') AND o.outcome_code = '' THEN 'a decline or an error has a code'
        -- A hold's reference comes with the bank's reply; a hold is never deduced.
        WHEN o.kind = 'authorize' AND o.state = 'SUCCEEDED' AND o.bank_reference = ''
            THEN 'its hold has a reference'
    END
$$;

CREATE FUNCTION guard_operation_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text := CASE
        WHEN NEW.state <> 'OPEN' THEN 'it begins as OPEN'
        WHEN NEW.bank_reference <> '' OR NEW.outcome_code <> '' OR NEW.strays_awaited <> 0
            OR NEW.look_again_at IS NOT NULL THEN 'it begins without an outcome'
        WHEN NEW.lease_epoch <> CASE NEW.kind WHEN 'release' THEN 0 ELSE 1 END
            THEN 'its lease begins with the first epoch'
        ELSE public.rule_broken_by_operation(NEW)
    END;
BEGIN
    IF NEW.kind = 'refund' THEN  -- wait for a transaction that is changing what is left to refund
        PERFORM FROM public.payments_payment WHERE id = NEW.payment_id FOR NO KEY UPDATE;
    END IF;
    IF broken IS NULL THEN
        SELECT CASE
            WHEN NEW.payment_id IS NOT NULL AND (NEW.bank, NEW.currency) IS DISTINCT FROM (p.bank, p.currency)
                THEN 'its bank and currency are its payment''s'
            WHEN NEW.payment_id IS NOT NULL AND NEW.kind IN ('authorize', 'void', 'release')
                AND NEW.amount_minor <> p.amount_minor
                THEN 'it is about its payment''s whole amount'
            WHEN NEW.kind = 'capture' AND NEW.amount_minor > p.amount_minor
                THEN 'no more is captured than was authorized'
            WHEN NEW.kind = 'authorize' AND (p.state <> 'PENDING' OR NEW.target_reference <> '')
                THEN 'only a PENDING payment is authorized'
            WHEN NEW.kind IN ('capture', 'void')
                AND (p.state, p.bank_authorization_id) IS DISTINCT FROM ('AUTHORIZED', NEW.target_reference)
                THEN 'only the hold of an AUTHORIZED payment is captured or voided'
            WHEN NEW.kind = 'refund'
                AND (p.state, p.bank_capture_id) IS DISTINCT FROM ('CAPTURED', NEW.target_reference)
                THEN 'only the capture of a CAPTURED payment is refunded'
            WHEN NEW.kind = 'refund' AND NEW.amount_minor > p.captured_minor - p.refunded_minor
                THEN 'no more is refunded than is left'
            WHEN EXISTS (
                SELECT FROM public.payments_operation o
                WHERE (o.bank, o.bank_idempotency_key) = (NEW.bank, NEW.bank_idempotency_key)
                AND (o.kind, o.amount_minor, o.currency, o.target_reference)
                    IS DISTINCT FROM (NEW.kind, NEW.amount_minor, NEW.currency, NEW.target_reference)
            ) THEN 'its bank key is another instruction''s'
            WHEN EXISTS (
                SELECT FROM public.payments_idempotencykey k WHERE k.operation_id = NEW.id
                AND (k.merchant_id, k.mode) IS DISTINCT FROM (p.merchant_id, p.mode)
            ) THEN 'its idempotency key is another merchant''s'
        END INTO broken
        FROM (SELECT) AS it LEFT JOIN public.payments_payment p ON p.id = NEW.payment_id;
    END IF;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'An operation is refused: %', broken USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION guard_operation_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_proven boolean;
    broken text := CASE
        WHEN (
            OLD.id, OLD.payment_id, OLD.kind, OLD.bank, OLD.amount_minor, OLD.currency, OLD.target_reference,
            OLD.bank_idempotency_key, OLD.ordinal, OLD.actor, OLD.request_id, OLD.reason, OLD.created_at
        ) IS DISTINCT FROM (
            NEW.id, NEW.payment_id, NEW.kind, NEW.bank, NEW.amount_minor, NEW.currency, NEW.target_reference,
            NEW.bank_idempotency_key, NEW.ordinal, NEW.actor, NEW.request_id, NEW.reason, NEW.created_at
        ) THEN 'what was instructed stays'
        WHEN OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
            ('OPEN', 'NEEDS_REVIEW'),
            ('OPEN', 'SUCCEEDED'), ('OPEN', 'DECLINED'), ('OPEN', 'REJECTED'), ('OPEN', 'NOT_EXECUTED'),
            ('NEEDS_REVIEW', 'SUCCEEDED'), ('NEEDS_REVIEW', 'DECLINED'), ('NEEDS_REVIEW', 'REJECTED'),
            ('NEEDS_REVIEW', 'NOT_EXECUTED')
        ) THEN format('no way leads from %s to %s', OLD.state, NEW.state)
        WHEN OLD.state = NEW.state
            AND (OLD.outcome_code, OLD.finished_at) IS DISTINCT FROM (NEW.outcome_code, NEW.finished_at)
            THEN 'an outcome comes with its end, and stays'
        WHEN OLD.bank_reference NOT IN ('', NEW.bank_reference) THEN 'the bank''s reference is written once'
        WHEN NEW.bank_reference <> '' AND NEW.state <> 'SUCCEEDED'
            THEN 'only what has succeeded has a bank''s reference'
        WHEN OLD.state = NEW.state AND NEW.strays_awaited NOT IN (OLD.strays_awaited, OLD.strays_awaited - 1)
            THEN 'strays come with the end, and are ruled out one by one'
        WHEN NEW.lease_epoch NOT IN (OLD.lease_epoch, OLD.lease_epoch + 1)
            THEN 'the lease''s epoch grows by one'
        ELSE public.rule_broken_by_operation(NEW)
    END;
BEGIN
    -- An outcome has evidence: the bank's reply, an applied resolution by staff, or the bank's statement.
    IF broken IS NULL AND (OLD.state, OLD.bank_reference) IS DISTINCT FROM (NEW.state, NEW.bank_reference) THEN
        CASE NEW.state
        WHEN 'NEEDS_REVIEW' THEN
            is_proven := EXISTS (
                SELECT FROM public.payments_attempt a WHERE a.operation_id = NEW.id AND a.ended_at IS NOT NULL
            );
        WHEN 'SUCCEEDED' THEN
            is_proven := EXISTS (  -- the bank gave its reference or, without one, said that it was done already
                SELECT FROM public.payments_attempt a WHERE a.operation_id = NEW.id
                AND CASE NEW.bank_reference
                    WHEN '' THEN a.said IN ('already_used', 'already_voided', 'already_refunded')
                    ELSE a.said = 'approved' AND a.bank_reference = NEW.bank_reference END
            );
        WHEN 'NOT_EXECUTED' THEN  -- silence proves nothing: no attempt is in doubt, or probes found nothing
            SELECT bool_and(a.is_probe OR a.in_doubt IS FALSE) IS NOT FALSE
                OR count(*) FILTER (WHERE a.verdict = 'negative_probe') >= 2
                INTO is_proven FROM public.payments_attempt a WHERE a.operation_id = NEW.id;
        ELSE
            is_proven := EXISTS (
                SELECT FROM public.payments_attempt a WHERE a.operation_id = NEW.id
                AND a.said = NEW.outcome_code AND a.said <> 'approved'
            );
        END CASE;
        IF NOT is_proven AND NEW.state <> 'NEEDS_REVIEW' THEN
            is_proven := EXISTS (
                SELECT FROM public.payments_resolution r WHERE r.state = 'APPLIED'
                AND (r.operation_id = NEW.id OR r.payment_id = NEW.payment_id AND r.kind = 'record_captured')
                AND NEW.bank_reference IN ('', r.reference)
            ) OR public.statement_shows(NEW) OR public.statement_rules_out(NEW);
        END IF;
        IF NOT is_proven THEN
            broken := format('there is no evidence that it is %s', NEW.state);
        END IF;
    END IF;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'A change of operation % is refused: %', OLD.id, broken USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

-- Checked at the commit: its cause may be recorded after it.
CREATE FUNCTION guard_release() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (  -- the hold has expired
        SELECT FROM public.payments_payment p WHERE p.id = NEW.payment_id
        AND (p.state, p.bank_authorization_id) = ('EXPIRED', NEW.target_reference)
    ) AND NOT (  -- a statement shows a hold without a payment
        NEW.payment_id IS NULL AND public.statement_has(NEW.bank, 'authorize', NEW.target_reference, NULL)
        AND NOT EXISTS (
            SELECT FROM public.payments_payment p
            WHERE (p.bank, p.bank_authorization_id) = (NEW.bank, NEW.target_reference)
        )
    ) AND NOT EXISTS (  -- staff found a hold without a payment
        SELECT FROM public.payments_resolution r
        WHERE r.kind = 'void_hold' AND r.state = 'APPLIED' AND NEW.payment_id IS NULL
        AND (r.bank, r.reference, r.amount_minor, r.currency)
            = (NEW.bank, NEW.target_reference, NEW.amount_minor, NEW.currency)
    ) AND NOT (  -- a late reply or an orphan named it, and there is a case
        EXISTS (SELECT FROM public.payments_discrepancy d WHERE d.operation_id = NEW.id)
        AND NOT EXISTS (
            SELECT FROM public.payments_payment p
            WHERE (p.bank, p.bank_authorization_id) = (NEW.bank, NEW.target_reference)
        )
    ) THEN
        RAISE EXCEPTION 'A release is refused: there is no reason to free %', NEW.target_reference
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER guard_insert BEFORE INSERT ON payments_operation
    FOR EACH ROW EXECUTE FUNCTION guard_operation_insert();
CREATE TRIGGER guard_update BEFORE UPDATE ON payments_operation
    FOR EACH ROW EXECUTE FUNCTION guard_operation_update();
CREATE CONSTRAINT TRIGGER guard_release AFTER INSERT ON payments_operation
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'release') EXECUTE FUNCTION guard_release();
