"""Breaking the contract's section on hang-ups and silence."""

from tests.banks.simulated.mutations.mutation import breaking

HANG_UPS = (
    breaking(
        "hanging up cancels work that is not yet committed",
        (
            "reception.py",
            "plan = self.script.next(endpoint)",
            "plan = replace(self.script.next(endpoint), ignores_hangup=True)",
        ),
        (
            "reception.py",
            "from pathlib import Path",
            "from dataclasses import replace\nfrom pathlib import Path",
        ),
        caught_by=[
            "hang_ups::TestHangingUp::test_before_the_commit_it_cancels_the_work",
            "hang_ups::TestHangingUp::test_during_the_latency_it_cancels_the_work",
        ],
    ),
    breaking(
        "a hang-up at the commit leaves a hold without a stored answer",
        (
            "ficmart/teller.py",
            "            await self.latch.pass_point(Point.STORING, endpoint)\n"
            "            with suppress(DatabaseDown):\n"
            "                await self._store(key, instruction.path, answer, plan)\n",
            "            with suppress(DatabaseDown):\n"
            "                await self._store(key, instruction.path, answer, plan)\n"
            "            await self.latch.pass_point(Point.STORING, endpoint)\n",
        ),
        caught_by="hang_ups::TestHangingUp::test_at_the_commit_it_leaves_a_hold_without_a_stored_answer",
    ),
    breaking(
        "unless the bank never learns of it",
        ("reception.py", "if not plan.ignores_hangup:", "if plan:"),
        caught_by="hang_ups::TestHangingUp::test_unnoticed_it_cancels_nothing",
    ),
    breaking(
        "after 15 s the bank can no longer answer",
        ("ficmart/server.py", "ANSWERING_TIME_NS = 15 *", "ANSWERING_TIME_NS = 150 *"),
        caught_by="hang_ups::TestAfterFifteenSeconds::test_a_call_that_takes_longer_is_executed_and_never_answered",
    ),
    breaking(
        "it closes the connection only when it has finished",
        (
            "reception.py",
            "            response = await asyncio.shield(task)\n",
            "            began, now = self.clock.now(), self.clock.now\n"
            "            while not task.done() and now() - began < (self._answering_ns or 0):\n"
            "                await asyncio.sleep(0.02)\n"
            "            response = task.result() if task.done() else None\n",
        ),
        caught_by="hang_ups::TestAfterFifteenSeconds::test_the_connection_closes_only_when_the_work_is_over",
    ),
    breaking(
        "after 15 s, not before",
        ("ficmart/server.py", "ANSWERING_TIME_NS = 15 *", "ANSWERING_TIME_NS = 13 *"),
        caught_by="hang_ups::TestAfterFifteenSeconds::test_a_call_that_takes_fourteen_seconds_is_answered",
    ),
)
