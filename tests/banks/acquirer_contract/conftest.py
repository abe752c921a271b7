"""Which acquirer is under test: the one at ACQUIRER_URL, or else a simulated one started here."""

import os
from collections.abc import Iterator

import pytest

from tests.banks.acquirer_contract.client import Acquirer
from tests.support.contract_suites import answering
from tests.support.simulated_acquirer import AcquirerControl, SimulatedAcquirer


class Control(AcquirerControl):
    """The control plane of the acquirer under test."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    @property
    def url(self) -> str:
        return self._url

    def is_there(self) -> bool:
        """An acquirer without one knows no such path."""
        answer = self._http.get(f"{self.url}/control/state", timeout=5)
        return answer.status_code == 200 and "weather" in answer.text


@pytest.fixture(scope="session")
def acquirer_url() -> Iterator[str]:
    if not os.environ.get("ACQUIRER_URL"):
        with SimulatedAcquirer() as started:
            yield started.url
        return
    yield answering(os.environ["ACQUIRER_URL"], variable="ACQUIRER_URL")


@pytest.fixture
def acquirer(acquirer_url: str) -> Iterator[Acquirer]:
    with Acquirer(acquirer_url) as acquirer:
        yield acquirer


@pytest.fixture
def control(acquirer_url: str) -> Iterator[Control]:
    """The control plane: empty books and, for as long as the test lasts, fair weather."""
    control = Control(acquirer_url)
    if not control.is_there():
        pytest.skip(f"the acquirer at {acquirer_url} has no control plane (GET /control/state)")
    control.reset()
    control.weather(failure_rate=0, min_latency_ms=0, max_latency_ms=0)
    yield control
    control.reset()
