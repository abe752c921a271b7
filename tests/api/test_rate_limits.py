"""Rate limits in one process: what counts against which budget, and what a client is told."""

from collections.abc import Iterator

import pytest
from django.db import DatabaseError

from payments.domain.rates import Limits
from payments.domain.states import Mode
from payments.engine.callers import exchange, rates
from payments.models import IdempotencyKey, Merchant, Operation, RateCount, RateLimit
from payments.usecases.merchants import create_merchant, issue_api_key
from tests.support.api_client import ApiClient, ApiResponse, order
from tests.support.factories import PaymentFactory
from tests.support.rate_windows import Windows
from tests.support.simulated_bank import SimulatedBank

NOWHERE = f"/payments/pay_{'0' * 32}/capture"


@pytest.fixture(autouse=True)
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[Windows]:
    yield Windows(monkeypatch)
    rates._counts.clear()


def limit(mode: Mode = Mode.LIVE, *, writes: int = 1000, reads: int = 1000) -> None:
    RateLimit.objects.update_or_create(
        merchant=Merchant.objects.get(slug="ficmart"), mode=mode, defaults={"writes": writes, "reads": reads}
    )


def standing(answer: ApiResponse) -> tuple[str, str]:
    return answer.headers["RateLimit-Policy"], answer.headers["RateLimit"]


def is_refused(answer: ApiResponse) -> bool:
    if answer.status != 429:
        return False
    assert answer.json["code"] == "rate_limited"
    assert answer.headers["Retry-After"] == "42"
    return True


class TestHeaders:
    def test_say_what_is_left_of_the_budget_that_the_request_counts_against(self, live: ApiClient) -> None:
        limit(writes=10, reads=20)
        assert standing(live.get("/payments")) == ('"reads";q=20;w=60', '"reads";r=19;t=42')
        assert standing(live.get("/merchants/me")) == ('"reads";q=20;w=60', '"reads";r=18;t=42')
        assert standing(live.post(NOWHERE)) == ('"writes";q=10;w=60', '"writes";r=9;t=42')
        assert standing(live.post("/payments", b"{")) == ('"writes";q=10;w=60', '"writes";r=8;t=42')

    def test_are_not_stored_with_the_response(self, live: ApiClient, bank: SimulatedBank) -> None:
        body = order()
        assert standing(live.post("/payments", body, key="k"))[0].startswith('"writes"')
        replay = live.post("/payments", body, key="k")
        assert standing(replay)[0].startswith('"replays"')
        assert "RateLimit" not in (IdempotencyKey.objects.get().response_headers or {})

    def test_are_on_the_refusal_too(self, mistaken: ApiClient) -> None:
        limit(reads=1)
        mistaken.get("/payments")
        assert standing(mistaken.get("/payments")) == ('"reads";q=1;w=60', '"reads";r=0;t=42')

    def test_are_not_told_to_strangers(self, mistaken: ApiClient) -> None:
        assert "RateLimit" not in ApiClient("sk_live_unknown").get("/payments").headers


class TestWrites:
    def test_beyond_the_limit_are_refused_before_anything_is_recorded(
        self, live: ApiClient, bank: SimulatedBank, windows: Windows
    ) -> None:
        limit(writes=1)
        assert live.post("/payments", order()).status == 201
        refused = live.post("/payments", order(), key="later")
        assert is_refused(refused)
        assert refused.json["money_moved"] == "no"
        assert Operation.objects.count() == 1
        assert not IdempotencyKey.objects.filter(key="later").exists()
        windows.next()
        assert live.post("/payments", order(), key="later").status == 201

    def test_that_are_invalid_count_too(self, mistaken: ApiClient) -> None:
        limit(writes=2)
        assert [mistaken.post("/payments", b"{").status for _ in range(3)] == [400, 400, 429]

    def test_of_one_mode_and_merchant_leave_the_others_theirs(
        self, live: ApiClient, test_mode: ApiClient
    ) -> None:
        limit(writes=1)
        create_merchant(slug="other", name="Other", limits=Limits(writes=1, reads=1))
        other = ApiClient(issue_api_key(slug="other", mode=Mode.LIVE).plain)
        second_key = ApiClient(issue_api_key(slug="ficmart", mode=Mode.LIVE).plain)
        assert [client.post(NOWHERE).status for client in (live, second_key, test_mode, other)] == [
            *(404, 429),  # two keys of one merchant share its limit
            *(404, 404),
        ]

    def test_leave_reads_theirs(self, mistaken: ApiClient) -> None:
        limit(writes=1, reads=1)
        mistaken.post(NOWHERE)
        assert is_refused(mistaken.post(NOWHERE))
        assert mistaken.get("/payments").status == 200
        refused = mistaken.get("/payments")
        assert is_refused(refused)
        assert "money_moved" not in refused.json

    def test_may_be_more_as_soon_as_staff_say_so(self, mistaken: ApiClient) -> None:
        limit(writes=1)
        assert [mistaken.post(NOWHERE).status for _ in range(2)] == [404, 429]
        limit(writes=2)
        assert [mistaken.post(NOWHERE).status for _ in range(2)] == [404, 429]

    def test_have_the_default_where_nothing_else_is_set(self, mistaken: ApiClient, settings: object) -> None:
        settings.RATE_LIMITS = Limits(writes=1, reads=2)  # type: ignore[attr-defined]
        assert [mistaken.post(NOWHERE).status for _ in range(2)] == [404, 429]
        assert [mistaken.get("/payments").status for _ in range(3)] == [200, 200, 429]


class TestRetries:
    def test_get_their_response_when_writes_and_reads_are_used_up(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        limit(writes=1, reads=1)
        first = live.post("/payments", order(order_id="o-1"), key="k")
        live.get("/payments")
        assert is_refused(live.post(NOWHERE))
        assert is_refused(live.get("/payments"))
        replay = live.post("/payments", order(order_id="o-1"), key="k")
        assert (replay.status, replay.body) == (201, first.body)

    def test_beyond_their_own_limit_are_not_told_that_no_money_moved(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        limit(writes=1, reads=1)
        body = order()
        assert [live.post("/payments", body, key="k").status for _ in range(2)] == [201, 201]
        refused = live.post("/payments", body, key="k")
        assert is_refused(refused)
        assert refused.json["money_moved"] == "unknown"

    def test_of_the_creation_of_a_key_are_retries_too(self, mistaken: ApiClient) -> None:
        limit(writes=1)
        body = {"name": "order service"}
        first = mistaken.post("/merchants/me/api-keys", body, key="k")
        again = mistaken.post("/merchants/me/api-keys", body, key="k")
        assert (first.status, again.status) == (201, 201)
        assert standing(again)[0].startswith('"replays"')


class TestTheExchange:
    """A second process is played by the shared row, which is all that one process knows of others."""

    def test_adds_to_what_other_processes_let_through(self, mistaken: ApiClient) -> None:
        limit(writes=10)
        for _ in range(3):
            mistaken.post(NOWHERE)
        assert exchange.exchange()
        RateCount.objects.update(requests=6)  # three of another process
        assert standing(mistaken.post(NOWHERE))[1] == '"writes";r=6;t=42'
        assert exchange.exchange()
        assert RateCount.objects.get().requests == 7
        assert standing(mistaken.post(NOWHERE))[1] == '"writes";r=2;t=42'

    def test_has_nothing_to_say_where_nothing_was_sent(self, mistaken: ApiClient) -> None:
        assert exchange.exchange()
        assert not RateCount.objects.exists()

    def test_begins_anew_with_each_window(self, mistaken: ApiClient, windows: Windows) -> None:
        limit(writes=2)
        assert [mistaken.post(NOWHERE).status for _ in range(3)] == [404, 404, 429]
        assert exchange.exchange()
        windows.next()
        assert mistaken.post(NOWHERE).status == 404
        assert exchange.exchange()
        count = RateCount.objects.get()
        assert (count.window, count.requests) == (windows.number, 1)

    def test_of_an_earlier_window_changes_nothing(self, mistaken: ApiClient, windows: Windows) -> None:
        mistaken.post(NOWHERE)
        assert exchange.exchange()
        RateCount.objects.update(window=windows.number + 1, requests=50)
        mistaken.post(NOWHERE)
        assert exchange.exchange()
        assert RateCount.objects.get().requests == 50
        assert mistaken.post(NOWHERE).status == 404

    def test_that_fails_loses_no_count(self, mistaken: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: object) -> None:
            raise DatabaseError("away")

        limit(writes=2)
        mistaken.post(NOWHERE)
        with monkeypatch.context() as away:
            away.setattr(rates, "_add", fail)
            assert not exchange.exchange()
        assert [mistaken.post(NOWHERE).status for _ in range(2)] == [404, 429]  # its own count still holds
        assert exchange.exchange()
        assert RateCount.objects.get().requests == 2

    def test_is_asked_for_at_once_where_a_tenth_of_a_limit_is_unreported(self, mistaken: ApiClient) -> None:
        limit(writes=20)
        rates.is_urgent.clear()
        mistaken.post(NOWHERE)
        assert not rates.is_urgent.is_set()
        mistaken.post(NOWHERE)
        assert rates.is_urgent.is_set()
        exchange.exchange()
        assert not rates.is_urgent.is_set()


class TestAReadByAnother:
    def test_is_counted_where_it_finds_nothing(self, mistaken: ApiClient) -> None:
        limit(reads=1)
        foreign = PaymentFactory(mode=Mode.TEST)
        assert mistaken.get(f"/payments/{foreign.public_id}").status == 404
        assert is_refused(mistaken.get(f"/payments/{foreign.public_id}"))
