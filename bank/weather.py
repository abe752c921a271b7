"""Latency and random failures, which strike before anything is executed."""

import asyncio
import random
from dataclasses import dataclass


@dataclass
class Weather:
    """How the bank treats requests for no reason of their own. /health and stored answers are exempt."""

    failure_rate: float
    min_latency_ms: int
    max_latency_ms: int

    async def passes(self) -> bool:
        """Wait the latency out; False if the request is to fail without being executed."""
        await asyncio.sleep(random.uniform(self.min_latency_ms, self.max_latency_ms) / 1000)
        return random.random() >= self.failure_rate
