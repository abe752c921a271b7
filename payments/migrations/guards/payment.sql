-- What may happen to a payment. A function per event, a line per rule; the first that is broken is named.

CREATE FUNCTION guard_payment_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text := CASE
        WHEN NEW.state <> 'PENDING' THEN 'it begins as PENDING'
        WHEN NEW.authorization_expires_at IS NOT NULL THEN 'its hold is not made yet'
        WHEN (NEW.captured_minor, NEW.refunded_minor) <> (0, 0) THEN 'nothing is captured yet'
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
    END;
BEGIN
    -- A state has a cause: the operation that ended at that moment, with the reference that it brought.
    IF broken IS NULL AND (
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
        IF NOT EXISTS (
            SELECT FROM public.payments_operation o WHERE o.payment_id = NEW.id
            -- People record when the bank did it, which is before they do.
            AND (o.finished_at = at OR o.finished_at > at AND EXISTS (
                SELECT FROM public.payments_resolution r WHERE r.payment_id = NEW.id AND r.state = 'APPLIED'
                AND r.reference = o.bank_reference AND r.executed_at IS NOT NULL
            ))
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
                -- The capture's id may become known after the refund.
                WHEN 'REFUNDED' THEN o.kind = 'refund' AND o.state = 'SUCCEEDED'
                    AND o.bank_reference = NEW.bank_refund_id
                    AND (OLD.bank_capture_id = NEW.bank_capture_id OR EXISTS (
                        SELECT FROM public.payments_operation c WHERE c.payment_id = NEW.id
                        AND c.kind = 'capture' AND c.bank_reference = NEW.bank_capture_id
                    ))
            END
        ) AND NOT (NEW.state = 'EXPIRED' AND NEW.authorization_expires_at <= clock_timestamp())
        -- People may find that the bank did another thing than it was told.
        AND NOT EXISTS (
            SELECT FROM public.payments_operation o
            JOIN public.payments_resolution r ON r.operation_id = o.id AND r.state = 'APPLIED'
            WHERE o.payment_id = NEW.id AND o.finished_at = at
            AND coalesce(nullif(NEW.bank_capture_id, OLD.bank_capture_id), '') IN ('', r.reference)
            AND coalesce(nullif(NEW.bank_void_id, OLD.bank_void_id), '') IN ('', r.reference)
        ) THEN
            broken := format('no operation has made it %s', NEW.state);
        END IF;
    END IF;
    -- Its totals are what its operations have done, and it names one of its refunds.
    IF broken IS NULL AND (
        OLD.captured_minor <> NEW.captured_minor AND NEW.captured_minor <> (
            SELECT coalesce(sum(o.amount_minor), 0) FROM public.payments_operation o
            WHERE o.payment_id = NEW.id AND o.kind = 'capture' AND o.state = 'SUCCEEDED'
        ) OR OLD.refunded_minor <> NEW.refunded_minor AND NEW.refunded_minor <> (
            SELECT coalesce(sum(o.amount_minor), 0) FROM public.payments_operation o
            WHERE o.payment_id = NEW.id AND o.kind = 'refund' AND o.state = 'SUCCEEDED'
        ) OR OLD.bank_refund_id <> NEW.bank_refund_id AND NOT EXISTS (
            SELECT FROM public.payments_operation o WHERE o.payment_id = NEW.id AND o.kind = 'refund'
            AND o.state = 'SUCCEEDED' AND o.bank_reference = NEW.bank_refund_id
        )
    ) THEN
        broken := 'its totals are not what its operations have done';
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
