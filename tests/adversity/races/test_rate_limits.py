"""One limit at a gateway of two processes, and what both learn of a key."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from payments.domain.states import Mode
from payments.models import ApiKey, RateCount, RateLimit
from payments.usecases.merchants import disable_api_key
from tests.adversity.races.remote import RemoteClient
from tests.support.api_client import ApiClient
from tests.support.at_once import at_once
from tests.support.rate_windows import wait_for_time_left

NOWHERE = f"/payments/pay_{'0' * 32}/capture"
LIMIT, PROCESSES, CLIENTS = 40, 2, 8
Until = Callable[[Callable[[], Any]], Any]


class Operator:
    """Somebody who disables a key."""

    actor, request_id, user_id, address = "operator", "", None, "a machine"


def test_processes_together_let_through_little_more_than_the_limit(
    shop: RemoteClient, live: ApiClient, until: Until
) -> None:
    key = ApiKey.objects.get()
    RateLimit.objects.create(merchant=key.merchant, mode=Mode.LIVE, writes=LIMIT, reads=1000)
    wait_for_time_left(20)
    answers = [one for _ in range(20) for one in at_once(*[lambda: shop.post(NOWHERE)] * CLIENTS)]
    let_through = sum(answer.status == 404 for answer in answers)
    assert {answer.status for answer in answers} == {404, 429}
    # Each process reports after a tenth of the limit; meanwhile every client may get one more through.
    assert LIMIT <= let_through <= LIMIT + PROCESSES * (LIMIT // 10) + 2 * CLIENTS
    until(lambda: RateCount.objects.get(budget="writes").requests == let_through)
    assert {shop.get("/payments").status for _ in range(CLIENTS)} == {200}


def test_a_disabled_key_fails_the_next_request_in_every_process(shop: RemoteClient, live: ApiClient) -> None:
    assert {answer.status for answer in at_once(*[lambda: shop.get("/payments")] * CLIENTS)} == {200}
    disable_api_key(ApiKey.objects.get().pk, reason="it leaked", by=Operator())
    assert {answer.status for answer in at_once(*[lambda: shop.get("/payments")] * CLIENTS)} == {401}


def test_the_first_use_of_a_key_is_written_soon(shop: RemoteClient, live: ApiClient, until: Until) -> None:
    assert ApiKey.objects.get().last_used_at is None
    shop.get("/payments")
    used_at = until(lambda: ApiKey.objects.get().last_used_at)
    assert timezone.now() - used_at < timedelta(minutes=1)
