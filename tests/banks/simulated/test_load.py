"""The bank under load: slow answers must not stand in each other's way."""

import asyncio
import time

import aiohttp

from tests.banks.simulated.conftest import CARD
from tests.support.simulated_bank import SimulatedBank


async def authorize_at_once(bank: SimulatedBank, count: int) -> list[int]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def one(number: int) -> int:
            headers = {"Idempotency-Key": f"load-{number}"}
            url = f"{bank.url}/api/v1/authorizations"
            async with http.post(url, json={**CARD, "amount": 1}, headers=headers) as answer:
                await answer.read()
                return answer.status

        return await asyncio.gather(*(one(number) for number in range(count)))


class TestLoad:
    def test_hundreds_of_slow_requests_are_slow_together(self, bank: SimulatedBank) -> None:
        bank.weather(min_latency_ms=1000, max_latency_ms=1000)
        began = time.monotonic()
        statuses = asyncio.run(authorize_at_once(bank, 300))
        assert set(statuses) == {200}
        assert time.monotonic() - began < 10  # one after the other it would be 300 s
        assert bank.balances()["1111"].held == 300
