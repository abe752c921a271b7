"""Latency and random failures, which happen before anything is executed."""

import asyncio
import random
from dataclasses import dataclass


@dataclass
class Weather:
    """Delays requests and fails some at random. /health and stored answers are exempt."""

    failure_rate: float
    min_latency_ms: int
    max_latency_ms: int

    async def passes(self) -> bool:
        """Wait for the latency. False: the request must fail without being executed."""
        await asyncio.sleep(random.uniform(self.min_latency_ms, self.max_latency_ms) / 1000)
        return random.random() >= self.failure_rate
