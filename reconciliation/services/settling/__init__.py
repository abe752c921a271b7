"""The SQL of settlements, one statement a file. Parameters are named."""

from pathlib import Path

_HERE = Path(__file__).parent

# Which payees have something to settle.
PAYEES = (_HERE / "payees.sql").read_text()
# What one of them has to settle, into the table `settling`.
CHOOSE = (_HERE / "choose.sql").read_text()
# Lives as long as its transaction. What was chosen is added up and written as it was chosen, whatever is
# matched meanwhile.
TABLE = """
    CREATE TEMPORARY TABLE settling (
        operation_id uuid, correction_id bigint, amount_minor bigint, fee_minor bigint, at timestamptz
    ) ON COMMIT DROP"""
SUMS = """
    SELECT count(*),
        coalesce(sum(amount_minor) FILTER (WHERE operation_id IS NOT NULL AND amount_minor > 0), 0)::bigint,
        coalesce(-sum(amount_minor) FILTER (WHERE operation_id IS NOT NULL AND amount_minor < 0), 0)::bigint,
        coalesce(sum(fee_minor), 0)::bigint,
        coalesce(sum(amount_minor) FILTER (WHERE correction_id IS NOT NULL), 0)::bigint
    FROM settling"""
LINES = """
    INSERT INTO reconciliation_settlementline
        (settlement_id, operation_id, correction_id, amount_minor, fee_minor)
    SELECT %(settlement)s, operation_id, correction_id, amount_minor, fee_minor FROM settling
    ORDER BY at, operation_id, correction_id"""
