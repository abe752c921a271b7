"""Breaking the contract's section on "Errors", the database down or failing."""

from tests.banks.simulated.mutations.mutation import breaking

JUDGED_BEFORE_THE_STEP = """\
        if plan and (self.database_down or plan.database_down):
            raise DatabaseDown
        return await asyncio.get_running_loop().run_in_executor(self._thread, query, self._ledger)
"""
JUDGED_AFTER_THE_STEP = """\
        result = await asyncio.get_running_loop().run_in_executor(self._thread, query, self._ledger)
        if plan and (self.database_down or plan.database_down):
            raise DatabaseDown
        return result
"""

DATABASE_DOWN = (
    breaking(
        "database down: a POST answers 400 internal_error",
        ("ficmart/answers.py", "STATUSES = {", 'STATUSES = {"internal_error": 500, '),
        caught_by="database_down::TestDatabaseDown::test_a_well_formed_post_is_a_400_internal_error",
    ),
    breaking(
        "400 internal_error is transient",
        ("ficmart/teller.py", JUDGED_BEFORE_THE_STEP, JUDGED_AFTER_THE_STEP),
        caught_by="database_down::TestDatabaseDown::test_an_internal_error_is_transient_and_nothing_was_done",
    ),
    breaking(
        "database down: every GET answers 404",
        (
            "ficmart/teller.py",
            "        except DatabaseDown:\n            entry = None\n",
            '        except DatabaseDown:\n            return refusal("internal_error")\n',
        ),
        caught_by="database_down::TestDatabaseDown::test_every_get_is_not_found",
    ),
    breaking(
        "database down: stored answers are not found",
        ("ficmart/teller.py", "path, now=self.clock.now()), plan)", "path, now=self.clock.now()))"),
        caught_by="database_down::TestDatabaseDown::test_stored_answers_are_not_found",
    ),
    breaking(
        "only /health tells the truth",
        ("ficmart/teller.py", "return UNHEALTHY", "return HEALTHY"),
        caught_by="database_down::TestDatabaseDown::test_only_health_tells_the_truth",
    ),
    breaking(
        "Luhn, CVV form and amount are judged before the database is asked",
        (
            "ficmart/teller.py",
            "            execute = instruction.judge(await read_body())",
            "            await self.ask(Ledger.clock_offset, plan)\n"
            "            execute = instruction.judge(await read_body())",
        ),
        caught_by=[
            "database_down::TestDatabaseDown::test_luhn_cvv_form_and_amount_are_judged_even_then",
            "database_down::TestDatabaseDown::test_an_unreadable_body_is_plain_text_even_then",
        ],
    ),
    *(
        breaking(
            sentence,
            (file, text, other),
            caught_by="database_down::TestDatabaseDown::test_luhn_cvv_form_and_amount_are_judged_even_then",
        )
        for sentence, file, text, other in (
            ("card_number passes Luhn", "ficmart/cards.py", "return total % 10 == 0", "return True"),
            ("card_number has 13 digits or more", "ficmart/cards.py", "if not (13 <=", "if not (12 <="),
            ("card_number has 19 digits or fewer", "ficmart/cards.py", "<= 19 and", "<= 20 and"),
            (
                "cvv has 3 digits or more",
                "ficmart/instructions.py",
                "if not (3 <= len(cvv)",
                "if not (2 <= len(cvv)",
            ),
            ("cvv has 4 digits or fewer", "ficmart/instructions.py", "len(cvv) <= 4", "len(cvv) <= 5"),
        )
    ),
    *(
        breaking(
            f"a database failing midway surfaces as {code} on {path}",
            (
                "ficmart/instructions.py",
                f'"/api/v1/{path}", {judge}, "{code}"',
                f'"/api/v1/{path}", {judge}, "internal_error"',
            ),
            caught_by=f"database_down::TestDatabaseFailingMidway::test_{test}",
        )
        for path, judge, code, test in (
            (
                "authorizations",
                "authorization",
                "invalid_card",
                "an_authorization_surfaces_as_an_invalid_card",
            ),
            (
                "captures",
                "judge_capture",
                "authorization_not_found",
                "a_capture_surfaces_as_authorization_not_found",
            ),
            ("voids", "judge_void", "authorization_not_found", "a_void_surfaces_as_authorization_not_found"),
            ("refunds", "judge_refund", "capture_not_found", "a_refund_surfaces_as_capture_not_found"),
        )
    ),
)
