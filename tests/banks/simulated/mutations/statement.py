"""Breaking the contract's section on "Statement file"."""

from tests.banks.simulated.mutations.mutation import breaking

STATEMENT = (
    breaking(
        "the header line",
        ("ficmart/statement.py", '"amount_cents", "currency"', '"amount", "currency"'),
        caught_by=[
            "statement::TestStatement::test_it_begins_with_the_header_line",
            "statement::TestStatement::test_a_day_without_entries_has_the_header_alone",
        ],
    ),
    breaking(
        "reference_id is the authorization's or the capture's",
        ("ficmart/statement.py", 'reference_id or ""', '""'),
        caught_by="statement::TestStatement::test_it_has_a_row_for_each_ledger_entry",
    ),
    breaking(
        "oldest first",
        ("ficmart/statement.py", "ORDER BY created_at_ns, sequence", "ORDER BY created_at_ns DESC"),
        caught_by="statement::TestStatement::test_it_is_in_order_and_of_one_day",
    ),
    breaking(
        "one file a day",
        ("clock.py", "return start, start + 24 * HOUR", "return start, start + 48 * HOUR"),
        caught_by="statement::TestStatement::test_what_happens_on_the_next_day_is_on_the_next_statement",
    ),
)
