"""What the contract suites share: they run against whichever bank answers at a given address."""

import pytest
import requests


def answering(url: str, *, variable: str) -> str:
    """The address without a closing slash; fails the test where nobody answers."""
    url = url.rstrip("/")
    try:
        requests.get(f"{url}/health", timeout=5)
    except requests.RequestException as error:
        pytest.fail(f"Nobody answers at {url}: {type(error).__name__}. Start it, or unset {variable}.")
    return url
