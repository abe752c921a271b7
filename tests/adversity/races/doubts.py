"""Operations left in doubt on purpose, to be found by those who race for them."""

from collections.abc import Callable
from typing import Any

from tests.conftest import forget_pace
from tests.support.api_client import ApiAnswer
from tests.support.simulated_bank import Endpoint, SimulatedBank


def in_doubt(
    bank: SimulatedBank,
    endpoint: Endpoint,
    send: Callable[[], ApiAnswer],
    *,
    executed: bool = True,
    stored: bool = True,
) -> dict[str, Any]:
    """The receipt of an operation whose first attempt was silent, the others in vain; `send` instructs it."""
    if executed:
        bank.script(endpoint, "drop_after", stored=stored)
    else:
        bank.script(endpoint, "drop_before")
    bank.script(endpoint, "fail_before", times=1000)
    answer = send()
    assert answer.status == 202, answer
    bank.clear_script()
    forget_pace()  # nor does one doubt close the way to the next
    receipt: dict[str, Any] = answer.json
    return receipt
