"""Breaking the contract's section on "Weather"."""

from tests.banks.simulated.mutations.mutation import breaking

EXECUTE_AFTER_WEATHER = """\
        if not await self.weather.passes():
            return RANDOM_FAILURE
        answer = await self._execute(instruction, key, read_body, plan)
"""

WEATHER = (
    breaking(
        "random failures come before anything is executed",
        (
            "ficmart/teller.py",
            EXECUTE_AFTER_WEATHER,
            "        answer = await self._execute(instruction, key, read_body, plan)\n"
            "        if not await self.weather.passes():\n            return RANDOM_FAILURE\n",
        ),
        caught_by="weather::TestRandomFailures::test_a_post_that_fails_at_random_was_not_executed",
    ),
    breaking(
        "GETs fail at random too",
        (
            "ficmart/teller.py",
            "            return RANDOM_FAILURE\n        try:\n            entry =",
            "            pass\n        try:\n            entry =",
        ),
        caught_by="weather::TestRandomFailures::test_a_get_fails_at_random_too",
    ),
    breaking(
        "stored answers are returned without weather",
        (
            "ficmart/teller.py",
            "        stores_answer = plan.stores_answer\n",
            "        stores_answer = plan.stores_answer\n"
            "        if not await self.weather.passes():\n            return RANDOM_FAILURE\n",
        ),
        caught_by=[
            "weather::TestRandomFailures::test_stored_answers_never_fail_at_random",
            "weather::TestRandomFailures::test_stored_answers_are_returned_without_weather",
        ],
        FAILURE_RATE="0.3",
    ),
    breaking(
        "/health is exempt",
        (
            "ficmart/teller.py",
            "        try:\n            await self.ask(Ledger.clock_offset, plan)\n",
            "        if not await self.weather.passes():\n            return RANDOM_FAILURE\n"
            "        try:\n            await self.ask(Ledger.clock_offset, plan)\n",
        ),
        caught_by=[
            "weather::TestRandomFailures::test_health_never_fails_at_random",
            "weather::TestRandomFailures::test_health_is_exempt_from_weather",
        ],
        FAILURE_RATE="0.3",
    ),
    breaking(
        "every request takes its time",
        ("weather.py", "await asyncio.sleep(", "float("),
        caught_by=[
            "weather::TestLatency::test_a_post_takes_its_time",
            "weather::TestLatency::test_a_get_takes_its_time",
        ],
    ),
)
