-- Whether the bank has executed for a payment what our books call not executed, still unsettled.
-- A volatile function of its own, so that it sees what was committed before the payment was locked.

CREATE FUNCTION has_open_late_reply(payment uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM public.payments_discrepancy d
        WHERE d.payment_id = payment AND d.kind = 'late_reply' AND d.closed_at IS NULL
    );
END $$;
