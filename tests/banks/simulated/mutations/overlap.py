"""Breaking the contract's section on "Idempotency", calls in flight at the same time."""

from tests.banks.simulated.mutations.mutation import breaking

OVERLAP = (
    breaking(
        "the look-up does not lock",
        (
            "ficmart/server.py",
            "                return await self.teller.instruct(",
            "                async with ONE_AT_A_TIME:\n                  return await self.teller.instruct(",
        ),
        (
            "ficmart/server.py",
            "ANSWERING_TIME_NS = ",
            "import asyncio\n\nONE_AT_A_TIME = asyncio.Lock()\nANSWERING_TIME_NS = ",
        ),
        caught_by=[
            "overlap::TestAuthorizations::test_the_look_up_does_not_lock",
            "overlap::TestAuthorizations::test_three_at_once_with_one_key_make_three_holds",
        ],
    ),
)
