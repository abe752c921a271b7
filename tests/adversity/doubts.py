"""Operations left in doubt on purpose, and what becomes of them as time passes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from payments.models import Operation
from payments.usecases.recovery import recover_due
from tests.conftest import forget_pace
from tests.support.api_client import ApiClient, ApiResponse, order
from tests.support.leases import WITHIN
from tests.support.simulated_bank import Endpoint, SimulatedBank
from tests.support.time_travel import let_pass

MINUTES, HOURS = timedelta(minutes=1), timedelta(hours=1)


def in_doubt(
    bank: SimulatedBank,
    endpoint: Endpoint,
    send: Callable[[], ApiResponse],
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


def capture_in_doubt(live: ApiClient, bank: SimulatedBank, *, executed: bool = True) -> dict[str, Any]:
    """The payment's receipt."""
    path = f"/payments/{live.authorized()['id']}/capture"
    return in_doubt(bank, "captures", lambda: live.post(path), executed=executed)


def again(live: ApiClient) -> ApiResponse:
    """The same authorize under the same key each time."""
    return live.post("/payments", order(order_id="order-1"), key="the-order")


def probe(bank: SimulatedBank, *, after: timedelta = 5 * MINUTES) -> int:
    let_pass(after, bank)
    return recover_due(within=WITHIN)


def found_not_executed(live: ApiClient, bank: SimulatedBank, *, executed: bool) -> None:
    """By two probes ten minutes apart."""
    in_doubt(bank, "authorizations", lambda: again(live), executed=executed)
    assert probe(bank) == 1
    assert probe(bank, after=11 * MINUTES) == 1
    assert Operation.objects.get().state == "NOT_EXECUTED"
