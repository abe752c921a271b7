"""The bank under load: slow requests do not stand in each other's way."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import aiohttp

from tests.banks.simulated.conftest import CARD
from tests.support.simulated_bank import SimulatedBank

COUNT = 300


async def authorize_at_once(bank: SimulatedBank) -> list[int]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def one(number: int) -> int:
            headers = {"Idempotency-Key": f"load-{number}"}
            url = f"{bank.url}/api/v1/authorizations"
            async with http.post(url, json={**CARD, "amount": 1}, headers=headers) as answer:
                await answer.read()
                return answer.status

        return await asyncio.gather(*(one(number) for number in range(COUNT)))


class TestLoad:
    def test_hundreds_of_slow_requests_are_slow_together(
        self, bank: SimulatedBank, background: ThreadPoolExecutor
    ) -> None:
        bank.weather(min_latency_ms=200, max_latency_ms=200)  # one after the other: a minute
        bank.hold("authorizations")
        statuses = background.submit(asyncio.run, authorize_at_once(bank))
        bank.wait_until_held(COUNT, seconds=30)
        bank.release()
        assert set(statuses.result()) == {200}
        assert bank.balances()["1111"].held == COUNT
