-- The rules of payments. A function per trigger, a line per rule; the error names the first broken rule.

-- The rules of each row. Not CHECKs, which PostgreSQL parses again for each statement.
CREATE FUNCTION rule_broken_by_payment(p public.payments_payment) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN p.mode NOT IN ('live', 'test') THEN 'its mode is unknown'
        WHEN p.currency NOT IN ('USD', 'EUR', 'GBP', 'JPY') THEN 'its currency is unknown'
        WHEN p.state NOT IN (
            'PENDING', 'AUTHORIZED', 'CAPTURED', 'REFUNDED', 'VOIDED', 'EXPIRED', 'DECLINED', 'FAILED'
        ) THEN 'its state is unknown'
        WHEN p.amount_minor NOT BETWEEN 1 AND 99999999 THEN 'its amount is out of range'
        WHEN p.card_expiry_month < 0 OR p.card_expiry_year < 0 THEN 'its card''s expiry is out of range'
        WHEN NOT (0 <= p.refunded_minor AND p.refunded_minor <= p.captured_minor
            AND p.captured_minor <= p.amount_minor) THEN 'its totals are out of range'
        WHEN (p.state IN ('CAPTURED', 'REFUNDED')) <> (p.captured_minor > 0)
            THEN 'something is captured once it is CAPTURED'
        -- A partly refunded payment stays CAPTURED.
        WHEN (p.state = 'REFUNDED') <> (p.captured_minor > 0 AND p.refunded_minor = p.captured_minor)
            THEN 'it is REFUNDED when all is given back'
        WHEN (p.state IN ('AUTHORIZED', 'CAPTURED', 'REFUNDED', 'VOIDED', 'EXPIRED'))
            <> (p.bank_authorization_id <> '') THEN 'its hold has a reference'
        WHEN p.bank_capture_id <> '' AND p.state NOT IN ('CAPTURED', 'REFUNDED')
            THEN 'only what is captured has a capture''s reference'
        WHEN p.bank_void_id <> '' AND p.state <> 'VOIDED' THEN 'only what is voided has a void''s reference'
        WHEN p.bank_refund_id <> '' AND p.refunded_minor = 0
            THEN 'only what is refunded has a refund''s reference'
        WHEN (p.state = 'DECLINED') <> (p.decline_code <> '') THEN 'a decline has a code'
        WHEN (p.state IN ('AUTHORIZED', 'CAPTURED', 'REFUNDED', 'VOIDED', 'EXPIRED'))
            <> (p.authorized_at IS NOT NULL) THEN 'authorized_at dates its hold'
        WHEN (p.state IN ('CAPTURED', 'REFUNDED')) <> (p.captured_at IS NOT NULL)
            THEN 'captured_at dates its capture'
        WHEN (p.state = 'REFUNDED') <> (p.refunded_at IS NOT NULL) THEN 'refunded_at dates its full refund'
        WHEN (p.state = 'VOIDED') <> (p.voided_at IS NOT NULL) THEN 'voided_at dates its void'
        WHEN (p.state = 'EXPIRED') <> (p.expired_at IS NOT NULL) THEN 'expired_at dates its expiry'
        WHEN (p.state = 'DECLINED') <> (p.declined_at IS NOT NULL) THEN 'declined_at dates its decline'
        WHEN (p.state = 'FAILED') <> (p.failed_at IS NOT NULL) THEN 'failed_at dates its failure'
    END
$$;

CREATE FUNCTION guard_payment_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text := CASE
        WHEN NEW.state <> 'PENDING' THEN 'it begins as PENDING'
        WHEN NEW.authorization_expires_at IS NOT NULL THEN 'its hold is not made yet'
        WHEN (NEW.captured_minor, NEW.refunded_minor) <> (0, 0) THEN 'nothing is captured yet'
        ELSE public.rule_broken_by_payment(NEW)
    END;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'A payment is refused: %', broken USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION guard_payment_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz;
    cause record;
    done record;
    is_caused boolean;
    broken text := CASE
        WHEN (
            OLD.id, OLD.merchant_id, OLD.mode, OLD.bank, OLD.order_id, OLD.customer_id, OLD.amount_minor,
            OLD.currency, OLD.created_at, OLD.card_brand, OLD.card_last4, OLD.card_expiry_month,
            OLD.card_expiry_year, OLD.description, OLD.customer_email, OLD.metadata
        ) IS DISTINCT FROM (
            NEW.id, NEW.merchant_id, NEW.mode, NEW.bank, NEW.order_id, NEW.customer_id, NEW.amount_minor,
            NEW.currency, NEW.created_at, NEW.card_brand, NEW.card_last4, NEW.card_expiry_month,
            NEW.card_expiry_year, NEW.description, NEW.customer_email, NEW.metadata
        ) THEN 'what was asked for stays'
        WHEN OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
            ('PENDING', 'AUTHORIZED'), ('PENDING', 'DECLINED'), ('PENDING', 'FAILED'),
            ('AUTHORIZED', 'CAPTURED'), ('AUTHORIZED', 'VOIDED'), ('AUTHORIZED', 'EXPIRED'),
            ('CAPTURED', 'REFUNDED')
        ) THEN format('no way leads from %s to %s', OLD.state, NEW.state)
        WHEN OLD.bank_authorization_id NOT IN ('', NEW.bank_authorization_id)
            OR OLD.bank_capture_id NOT IN ('', NEW.bank_capture_id)
            OR OLD.bank_void_id NOT IN ('', NEW.bank_void_id)
            OR OLD.bank_refund_id NOT IN ('', NEW.bank_refund_id) AND OLD.refunded_minor = NEW.refunded_minor
            THEN 'a bank reference is written once'
        WHEN OLD.decline_code NOT IN ('', NEW.decline_code)
            OR coalesce(OLD.authorized_at, NEW.authorized_at) IS DISTINCT FROM NEW.authorized_at
            OR coalesce(OLD.captured_at, NEW.captured_at) IS DISTINCT FROM NEW.captured_at
            OR coalesce(OLD.refunded_at, NEW.refunded_at) IS DISTINCT FROM NEW.refunded_at
            OR coalesce(OLD.voided_at, NEW.voided_at) IS DISTINCT FROM NEW.voided_at
            OR coalesce(OLD.expired_at, NEW.expired_at) IS DISTINCT FROM NEW.expired_at
            OR coalesce(OLD.declined_at, NEW.declined_at) IS DISTINCT FROM NEW.declined_at
            OR coalesce(OLD.failed_at, NEW.failed_at) IS DISTINCT FROM NEW.failed_at
            THEN 'what comes with a state is written once'
        WHEN OLD.authorization_expires_at IS DISTINCT FROM NEW.authorization_expires_at
            AND (OLD.state, NEW.state) <> ('PENDING', 'AUTHORIZED')
            THEN 'the end of its hold comes with the hold'
        ELSE public.rule_broken_by_payment(NEW)
    END;
BEGIN
    -- A state has a cause: the operation that ended at that moment, with its reference.
    IF broken IS NULL AND NEW.state IS NOT NULL AND (
        OLD.state, OLD.bank_authorization_id, OLD.bank_capture_id, OLD.bank_void_id
    ) IS DISTINCT FROM (
        NEW.state, NEW.bank_authorization_id, NEW.bank_capture_id, NEW.bank_void_id
    ) THEN
        at := CASE NEW.state
            WHEN 'AUTHORIZED' THEN NEW.authorized_at WHEN 'CAPTURED' THEN NEW.captured_at
            WHEN 'REFUNDED' THEN NEW.refunded_at WHEN 'VOIDED' THEN NEW.voided_at
            WHEN 'EXPIRED' THEN NEW.expired_at WHEN 'DECLINED' THEN NEW.declined_at
            WHEN 'FAILED' THEN NEW.failed_at
        END;
        SELECT o.finished_at, o.bank_reference INTO cause
            FROM public.payments_operation o
            WHERE o.payment_id = NEW.id AND o.finished_at >= at
            AND CASE NEW.state
                WHEN 'AUTHORIZED' THEN o.kind = 'authorize' AND o.state = 'SUCCEEDED'
                    AND o.bank_reference = NEW.bank_authorization_id
                WHEN 'DECLINED' THEN o.kind = 'authorize' AND o.state = 'DECLINED'
                    AND o.outcome_code = NEW.decline_code
                WHEN 'FAILED' THEN o.kind = 'authorize' AND o.state = 'NOT_EXECUTED'
                WHEN 'CAPTURED' THEN o.kind = 'capture' AND o.state = 'SUCCEEDED'
                    AND o.bank_reference = NEW.bank_capture_id
                WHEN 'VOIDED' THEN o.kind = 'void' AND o.state = 'SUCCEEDED'
                    AND o.bank_reference = NEW.bank_void_id
                WHEN 'EXPIRED' THEN o.kind = 'capture' AND o.state = 'REJECTED'
                WHEN 'REFUNDED' THEN o.kind = 'refund' AND o.state = 'SUCCEEDED'
                    AND o.bank_reference = NEW.bank_refund_id
            END
            ORDER BY o.finished_at LIMIT 1;
        is_caused := cause.finished_at IS NOT NULL;
        IF cause.finished_at > at THEN  -- staff and statements tell when the bank did it, which is before now
            is_caused := EXISTS (
                SELECT FROM public.payments_resolution r WHERE r.payment_id = NEW.id AND r.state = 'APPLIED'
                AND r.reference = cause.bank_reference AND r.executed_at IS NOT NULL
            ) OR public.statement_has(NEW.bank,
                CASE NEW.state WHEN 'CAPTURED' THEN 'capture' WHEN 'VOIDED' THEN 'void' WHEN 'REFUNDED' THEN 'refund' END,
                cause.bank_reference, NULL);
        END IF;
        IF is_caused AND NEW.state = 'REFUNDED' AND OLD.bank_capture_id <> NEW.bank_capture_id THEN
            is_caused := EXISTS (  -- the capture's id may become known after the refund
                SELECT FROM public.payments_operation c WHERE c.payment_id = NEW.id
                AND c.kind = 'capture' AND c.bank_reference = NEW.bank_capture_id
            );
        END IF;
        IF NOT is_caused AND NEW.state = 'EXPIRED' THEN
            is_caused := coalesce(NEW.authorization_expires_at <= clock_timestamp(), false);
        END IF;
        IF NOT is_caused AND NEW.state = 'VOIDED' THEN  -- a statement shows a void instead of a capture
            is_caused := public.statement_has(NEW.bank, 'void', NULL, NEW.bank_authorization_id) AND EXISTS (
                SELECT FROM public.payments_operation o WHERE o.payment_id = NEW.id
                AND o.kind = 'capture' AND o.state = 'NOT_EXECUTED' AND o.finished_at >= at
            );
        END IF;
        IF NOT is_caused THEN  -- staff may find that the bank did something other than instructed
            is_caused := EXISTS (
                SELECT FROM public.payments_operation o
                JOIN public.payments_resolution r ON r.operation_id = o.id AND r.state = 'APPLIED'
                WHERE o.payment_id = NEW.id AND o.finished_at = at
                AND coalesce(nullif(NEW.bank_capture_id, OLD.bank_capture_id), '') IN ('', r.reference)
                AND coalesce(nullif(NEW.bank_void_id, OLD.bank_void_id), '') IN ('', r.reference)
            );
        END IF;
        IF NOT is_caused THEN
            broken := format('no operation has made it %s', NEW.state);
        END IF;
    END IF;
    -- Its totals are the sums of its operations, and `bank_refund_id` is one of its refunds.
    IF broken IS NULL AND (OLD.captured_minor, OLD.refunded_minor, OLD.bank_refund_id)
        IS DISTINCT FROM (NEW.captured_minor, NEW.refunded_minor, NEW.bank_refund_id)
    THEN
        SELECT coalesce(sum(o.amount_minor) FILTER (WHERE o.kind = 'capture'), 0) AS captured_minor,
            coalesce(sum(o.amount_minor) FILTER (WHERE o.kind = 'refund'), 0) AS refunded_minor,
            bool_or(o.kind = 'refund' AND o.bank_reference = NEW.bank_refund_id) AS has_refund
            INTO done FROM public.payments_operation o
            WHERE o.payment_id = NEW.id AND o.state = 'SUCCEEDED' AND o.kind IN ('capture', 'refund');
        IF OLD.captured_minor <> NEW.captured_minor AND NEW.captured_minor <> done.captured_minor
            OR OLD.refunded_minor <> NEW.refunded_minor AND NEW.refunded_minor <> done.refunded_minor
            OR OLD.bank_refund_id <> NEW.bank_refund_id AND done.has_refund IS NOT TRUE
        THEN
            broken := 'its totals are not what its operations have done';
        END IF;
    END IF;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'A change of payment % is refused: %', OLD.id, broken USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_insert BEFORE INSERT ON payments_payment
    FOR EACH ROW EXECUTE FUNCTION guard_payment_insert();
CREATE TRIGGER guard_update BEFORE UPDATE ON payments_payment
    FOR EACH ROW EXECUTE FUNCTION guard_payment_update();
