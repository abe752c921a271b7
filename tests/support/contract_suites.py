"""What the contract suites share: they run against whichever bank answers at a given address."""

from dataclasses import dataclass, field
from typing import Self

import pytest
import requests


@dataclass
class Caller:
    """A client of the bank under test, with a connection of its own."""

    url: str
    http: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.http.trust_env = False  # a proxy from the environment is not for the bank

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.http.close()


def answering(url: str, *, variable: str) -> str:
    """The address without a closing slash; fails the test where nobody answers."""
    url = url.rstrip("/")
    try:
        requests.get(f"{url}/health", timeout=5)
    except requests.RequestException as error:
        pytest.fail(f"Nobody answers at {url}: {type(error).__name__}. Start it, or unset {variable}.")
    return url
