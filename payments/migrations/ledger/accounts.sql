-- The balance of an entry, with the accounts of fees and corrections.

CREATE OR REPLACE FUNCTION check_balance(entry bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    broken text;
BEGIN
    SELECT CASE
        WHEN count(*) < 2 THEN 'it has two postings or more'
        WHEN sum(amount_minor) <> 0 THEN format('it does not balance: its postings add up to %s', sum(amount_minor))
        WHEN bool_or(amount_minor = 0) THEN 'a posting moves nothing'
        WHEN bool_or(account NOT IN (
            'holds', 'holds_contra', 'bank_receivable', 'merchant_payable', 'fees', 'corrections'
        )) THEN 'its account is unknown'
    END INTO broken FROM public.payments_ledgerposting WHERE entry_id = entry;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'Entry % is refused: %', entry, broken
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_balances';
    END IF;
END $$;
