"""Breaking the contract's section on "Idempotency", one call after the other."""

from tests.banks.simulated.mutations.mutation import breaking
from tests.banks.simulated.mutations.weather import EXECUTE_AFTER_WEATHER

IDEMPOTENCY = (
    breaking(
        "same key + same path returns the stored answer",
        ("ficmart/teller.py", "if stored is not None:", "if stored == b'':"),
        caught_by=[
            "idempotency::TestReplay::test_an_authorization_is_replayed_to_the_byte",
            "idempotency::TestReplay::test_a_capture_is_replayed_to_the_byte",
            "idempotency::TestReplay::test_a_void_is_replayed_to_the_byte",
            "idempotency::TestReplay::test_a_refund_is_replayed_to_the_byte",
            "idempotency::TestReplay::test_a_stored_answer_outlives_what_it_tells_of",
        ],
    ),
    breaking(
        "with X-Idempotent-Replayed: true",
        ("ficmart/answers.py", 'headers={"X-Idempotent-Replayed": "true"}', "headers={}"),
        caught_by="idempotency::TestReplay::test_an_authorization_is_replayed_to_the_byte",
    ),
    breaking(
        "the same key, not any key",
        ("ficmart/ledger.py", "WHERE idempotency_key = ? AND path = ?", "WHERE ? IS NOT NULL AND path = ?"),
        caught_by="idempotency::TestReplay::test_another_key_is_another_instruction",
    ),
    breaking(
        "the same path, not any path",
        (
            "ficmart/ledger.py",
            "WHERE idempotency_key = ? AND path = ?",
            "WHERE idempotency_key = ? AND ? IS NOT NULL",
        ),
        caught_by="idempotency::TestReplay::test_the_same_key_on_another_path_is_another_instruction",
    ),
    breaking(
        "the key is looked up before the body is read",
        (
            "ficmart/teller.py",
            "        stores_answer = plan.stores_answer\n",
            "        stores_answer = plan.stores_answer\n"
            "        try:\n            instruction.judge(await read_body())\n"
            "        except Unreadable:\n            return UNREADABLE_BODY\n"
            "        except Refused as refused:\n            return refusal(refused.code)\n",
        ),
        caught_by="idempotency::TestReplay::test_the_key_is_looked_up_before_the_body_is_read",
    ),
    breaking(
        "only 2xx answers are stored",
        ("ficmart/teller.py", "if answer.status == 200 and stores_answer:", "if stores_answer:"),
        caught_by=[
            "idempotency::TestOnlySuccessIsStored::test_a_402_is_evaluated_again",
            "idempotency::TestOnlySuccessIsStored::test_a_400_is_evaluated_again",
            "idempotency::TestOnlySuccessIsStored::test_a_plain_text_400_is_evaluated_again",
        ],
    ),
    breaking(
        "a failed request is evaluated again",
        (
            "ficmart/teller.py",
            EXECUTE_AFTER_WEATHER,
            "        fair = await self.weather.passes()\n        answer = RANDOM_FAILURE\n"
            "        if fair:\n            answer = await self._execute(instruction, key, read_body, plan)\n",
        ),
        ("ficmart/teller.py", "if answer.status == 200 and stores_answer:", "if stores_answer:"),
        caught_by="idempotency::TestOnlySuccessIsStored::test_a_500_is_evaluated_again",
    ),
    breaking(
        "when the look-up fails, the answer is not stored",
        ("ficmart/teller.py", "stored, stores_answer = None, False", "stored = None"),
        caught_by="idempotency::TestFailedLookUp::test_a_request_whose_look_up_failed_is_executed_and_not_stored",
    ),
    breaking(
        "when the look-up fails, the request is executed as new",
        ("ficmart/teller.py", "stored, stores_answer = None, False", 'return refusal("internal_error")'),
        caught_by=[
            "idempotency::TestFailedLookUp::test_a_request_whose_look_up_failed_is_executed_and_not_stored",
            "idempotency::TestFailedLookUp::test_a_replay_whose_look_up_failed_is_executed_as_new",
        ],
    ),
    breaking(
        "stored answers live 24 hours",
        ("ficmart/ledger.py", "(full_hour - 24 * HOUR,)", "(full_hour - 20 * HOUR,)"),
        caught_by="idempotency::TestPurge::test_an_answer_is_kept_for_24_hours",
    ),
    breaking(
        "stored answers are purged after 25 hours at the latest",
        ("ficmart/ledger.py", "(full_hour - 24 * HOUR,)", "(full_hour - 26 * HOUR,)"),
        caught_by="idempotency::TestPurge::test_after_25_hours_the_same_key_holds_the_funds_a_second_time",
    ),
)
