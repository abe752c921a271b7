-- Whether the bank has done with a payment what our books call not executed, and nobody has settled it.
-- Volatile, and no part of the statement that asks: it sees what was committed before the payment was locked.

CREATE FUNCTION has_open_late_answer(payment uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM public.payments_discrepancy d
        WHERE d.payment_id = payment AND d.kind = 'late_answer' AND d.closed_at IS NULL
    );
END $$;
