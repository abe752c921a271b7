-- The fee of a capture in minor units, rounded half to even, once: `fee_of` in payments/domain/settlement.py.
CREATE FUNCTION fee_of(amount bigint, basis_points bigint, fixed bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT whole + CASE WHEN 2 * rest > 10000 OR 2 * rest = 10000 AND whole % 2 = 1 THEN 1 ELSE 0 END
    FROM (SELECT parts / 10000 AS whole, parts % 10000 AS rest
        FROM (SELECT amount * basis_points + fixed * 10000 AS parts) AS one) AS divided
$$;
