"""API keys over the API: what a merchant can do with its own, and what nobody gets twice."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from payments.api.merchants import examples
from payments.domain.rates import Limits
from payments.domain.scopes import ALL_SCOPES, Scope
from payments.domain.states import Mode
from payments.engine.callers import exchange
from payments.models import ApiKey, Event, Merchant, RateLimit
from payments.models.clock import clock_in
from payments.usecases.merchants import NewKey, create_merchant, issue_api_key
from tests.support.api_calls import calls, filled
from tests.support.api_client import ApiClient, ApiResponse
from tests.support.factories import ApiKeyFactory

KEYS = "/merchants/me/api-keys"


def key_with(*scopes: Scope, mode: Mode = Mode.LIVE) -> ApiClient:
    return ApiClient(issue_api_key(slug="ficmart", mode=mode, wanted=NewKey(scopes=frozenset(scopes))).plain)


def made(answer: ApiResponse) -> tuple[dict[str, Any], ApiClient]:
    """The new key, and a client that uses it."""
    assert answer.status == 201, answer
    return answer.json["api_key"], ApiClient(answer.json["secret"])


def id_of(client: ApiClient) -> str:
    return str(client.get("/merchants/me").json["api_key"]["id"])


def in_future(**time: float) -> str:
    return (datetime.now(UTC) + timedelta(**time)).isoformat()


class TestTheMerchant:
    def test_reads_what_it_may_do(self, mistaken: ApiClient) -> None:
        RateLimit.objects.create(merchant=Merchant.objects.get(), mode=Mode.LIVE, writes=7, reads=9)
        me = mistaken.get("/merchants/me").json
        assert (me["id"], me["name"], me["livemode"]) == ("ficmart", "FicMart", True)
        assert {one["currency"]: one["operations"] for one in me["currencies"]} == {
            "USD": ["authorize", "capture", "void", "refund"],
            "EUR": ["authorize"],
            "GBP": ["authorize"],
        }
        assert {name: one["requests"] for name, one in me["limits"].items()} == {
            "writes": 7,
            "reads": 9,
            "replays": 9,
        }
        assert me["api_key"]["hint"] == f"sk_live_...{mistaken.key[-4:]}"

    def test_reads_it_with_any_key(self, mistaken: ApiClient) -> None:
        assert key_with(Scope.WEBHOOKS).get("/merchants/me").json["api_key"]["scopes"] == ["webhooks"]

    def test_is_shown_as_in_the_example(self, mistaken: ApiClient, settings: Any) -> None:
        settings.RATE_LIMITS = Limits(writes=100, reads=1000)
        shown = key_with(*ALL_SCOPES, mode=Mode.TEST).get("/merchants/me").json
        assert shown | {"api_key": None} == examples.MERCHANT | {"api_key": None}
        assert shown["api_key"].keys() == examples.MERCHANT["api_key"].keys()


class TestCreate:
    def test_gives_a_key_that_works(self, mistaken: ApiClient) -> None:
        key, client = made(mistaken.post(KEYS, examples.CREATE))
        assert (key["name"], key["scopes"], key["state"]) == (*examples.CREATE.values(), "active")
        assert (key["replaces"], key["expires_at"], key["last_used_at"]) == (None, None, None)
        assert client.key.startswith("sk_live_")
        assert client.get("/payments").status == 200
        assert id_of(client) == key["id"]

    def test_stores_no_secret(self, mistaken: ApiClient) -> None:
        _, client = made(mistaken.post(KEYS, {"name": "n"}))
        stored = [str(vars(row)) for model in (ApiKey, Event) for row in model.objects.all()]
        assert client.key not in "".join(stored)
        assert client.key not in str(mistaken.get(KEYS).json)

    def test_gives_all_scopes_of_the_key_in_use_if_none_are_named(self, mistaken: ApiClient) -> None:
        assert made(mistaken.post(KEYS, {"name": "n"}))[0]["scopes"] == [scope.value for scope in Scope]
        some = key_with(Scope.KEYS, Scope.PAYMENTS_READ)
        assert made(some.post(KEYS, {"name": "n"}))[0]["scopes"] == ["payments:read", "keys"]

    def test_never_gives_a_scope_that_the_key_in_use_lacks(self, mistaken: ApiClient) -> None:
        refused = key_with(Scope.KEYS).post(KEYS, {"name": "n", "scopes": ["keys", "payments:write"]})
        assert (refused.status, refused.json["code"]) == (403, "permission_denied")
        assert "`payments:write`" in refused.json["detail"]
        assert "`keys`" not in refused.json["detail"]

    def test_gives_a_key_of_the_same_mode_only(self, mistaken: ApiClient) -> None:
        for mode in Mode:
            key, client = made(key_with(Scope.KEYS, mode=mode).post(KEYS, {"name": "n"}))
            assert (key["livemode"], client.key[:8]) == (mode is Mode.LIVE, f"sk_{mode}_"[:8])

    def test_refuses_what_is_invalid_all_at_once(self, mistaken: ApiClient) -> None:
        body = {"name": "", "scopes": ["keys", "keys"], "expires_at": "2020-01-01T00:00:00Z", "mode": "test"}
        refused = mistaken.post(KEYS, body)
        assert {one["field"]: one["code"] for one in refused.json["errors"]} == {
            "name": "blank",
            "scopes": "invalid",
            "expires_at": "in_the_past",
            "mode": "unknown_field",
        }
        for scopes in ([], "keys", ["payments:delete"], [1], [["keys"]], {}, 5):
            assert mistaken.post(KEYS, {"name": "n", "scopes": scopes}).status == 400, scopes
        assert ApiKey.objects.count() == 1

    def test_is_logged(self, mistaken: ApiClient) -> None:
        made(mistaken.post(KEYS, examples.CREATE))
        event = Event.objects.get(type=Event.Type.API_KEY_CREATED)
        assert event.actor.startswith("api_key:")
        assert event.evidence["name"] == "order service"
        assert event.evidence["scopes"] == "payments:read, payments:write"


class TestARepetition:
    def test_gets_the_same_key_without_its_secret(self, mistaken: ApiClient) -> None:
        first = mistaken.post(KEYS, examples.CREATE, key="k")
        again = mistaken.post(KEYS, examples.CREATE, key="k")
        assert (again.status, again.headers["Idempotent-Replayed"]) == (201, "true")
        assert "Idempotent-Replayed" not in first.headers
        assert again.json["api_key"] == first.json["api_key"]
        assert (again.json["secret"], again.json["notice"]) == (None, examples.REPLAYED["notice"])
        assert ApiKey.objects.count() == 2

    def test_of_another_request_is_a_422(self, mistaken: ApiClient) -> None:
        key, _ = made(mistaken.post(KEYS, examples.CREATE, key="k"))
        for path, body in ((KEYS, {"name": "another"}), (f"{KEYS}/{key['id']}/rotate", None)):
            refused = mistaken.post(path, body, key="k")
            assert (refused.status, refused.json["code"]) == (422, "idempotency_key_reused")

    def test_is_looked_up_before_the_body_is_validated(self, mistaken: ApiClient) -> None:
        body = {"name": "n", "expires_at": in_future(seconds=0.2)}
        made(mistaken.post(KEYS, body, key="k"))
        while mistaken.post(KEYS, body).status == 201:
            pass  # until the expiry has passed
        assert mistaken.post(KEYS, body, key="k").json["api_key"]["state"] == "expired"

    def test_needs_a_key_like_every_post(self, mistaken: ApiClient) -> None:
        for path in (KEYS, f"{KEYS}/{id_of(mistaken)}/rotate"):
            assert mistaken.post(path, {"name": "n"}, key=None).json["code"] == "idempotency_key_missing"

    def test_of_a_rotation_changes_nothing_more(self, mistaken: ApiClient) -> None:
        path = f"{KEYS}/{id_of(mistaken)}/rotate"
        first = mistaken.post(path, {"overlap_seconds": 600}, key="k").json
        again = mistaken.post(path, {"overlap_seconds": 600}, key="k").json
        assert again["api_key"] == first["api_key"]
        assert again["replaced"]["expires_at"] == first["replaced"]["expires_at"]
        assert ApiKey.objects.count() == 2


class TestExpiry:
    def test_ends_a_key_by_the_databases_clock(self, mistaken: ApiClient) -> None:
        key, client = made(mistaken.post(KEYS, {"name": "n", "expires_at": in_future(days=1)}))
        assert client.get("/payments").status == 200
        ApiKey.objects.filter(expires_at__gt=clock_in(0)).update(expires_at=clock_in(-0.001))
        refused = client.get("/payments")
        assert (refused.status, refused.json["code"]) == (401, "authentication_failed")
        (listed,) = [one for one in mistaken.get(KEYS).json["results"] if one["id"] == key["id"]]
        assert listed["state"] == "expired"


class TestRotate:
    def test_gives_a_key_like_the_old_one_which_ends_after_the_overlap(self, mistaken: ApiClient) -> None:
        old, old_client = made(mistaken.post(KEYS, examples.CREATE))
        answer = mistaken.post(f"{KEYS}/{old['id']}/rotate", {"overlap_seconds": 600})
        new, client = made(answer)
        assert (new["name"], new["scopes"], new["replaces"]) == (old["name"], old["scopes"], old["id"])
        left = datetime.fromisoformat(answer.json["replaced"]["expires_at"]) - datetime.now(UTC)
        assert timedelta(seconds=590) < left <= timedelta(seconds=600)
        assert [one.get("/payments").status for one in (old_client, client)] == [200, 200]

    def test_leaves_a_day_if_nothing_is_said(self, mistaken: ApiClient) -> None:
        answer = mistaken.post(f"{KEYS}/{id_of(mistaken)}/rotate")
        left = datetime.fromisoformat(answer.json["replaced"]["expires_at"]) - datetime.now(UTC)
        assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24)
        assert answer.json["notice"].startswith("The replaced key is the key of this request")

    def test_without_overlap_ends_the_old_one_at_once(self, mistaken: ApiClient) -> None:
        answer = mistaken.post(f"{KEYS}/{id_of(mistaken)}/rotate", {"overlap_seconds": 0})
        _, client = made(answer)
        assert answer.json["replaced"]["state"] == "expired"
        assert [one.get("/payments").status for one in (mistaken, client)] == [401, 200]

    def test_never_puts_off_an_expiry(self, mistaken: ApiClient) -> None:
        old, _ = made(mistaken.post(KEYS, {"name": "n", "expires_at": in_future(minutes=5)}))
        rotated = mistaken.post(f"{KEYS}/{old['id']}/rotate", {"overlap_seconds": 86400})
        assert rotated.json["replaced"]["expires_at"] == old["expires_at"]
        assert rotated.json["api_key"]["expires_at"] is None

    def test_takes_an_overlap_of_0_to_30_days(self, mistaken: ApiClient) -> None:
        path = f"{KEYS}/{id_of(mistaken)}/rotate"
        for seconds in (-1, 30 * 86400 + 1, "60", 1.5):
            assert mistaken.post(path, {"overlap_seconds": seconds}).status == 400, seconds
        assert mistaken.post(path, {"overlap_seconds": 30 * 86400}).status == 201

    def test_gives_nobody_more_than_the_key_in_use_has(self, mistaken: ApiClient) -> None:
        refused = key_with(Scope.KEYS).post(f"{KEYS}/{id_of(mistaken)}/rotate")
        assert (refused.status, refused.json["code"]) == (403, "permission_denied")
        assert mistaken.get("/payments").status == 200

    def test_is_for_keys_in_force(self, mistaken: ApiClient) -> None:
        key, _ = made(mistaken.post(KEYS, {"name": "n"}))
        mistaken.call("DELETE", f"{KEYS}/{key['id']}")
        assert mistaken.post(f"{KEYS}/{key['id']}/rotate").status == 404


class TestDisable:
    def test_ends_the_key_with_the_next_request(self, mistaken: ApiClient) -> None:
        key, client = made(mistaken.post(KEYS, {"name": "n"}))
        answer = mistaken.call("DELETE", f"{KEYS}/{key['id']}")
        assert (answer.status, answer.json["notice"]) == (200, None)
        assert answer.json["api_key"]["state"] == "disabled"
        assert client.get("/payments").status == 401
        assert Event.objects.get(type=Event.Type.API_KEY_DISABLED).actor.startswith("api_key:")

    def test_again_changes_nothing(self, mistaken: ApiClient) -> None:
        key, _ = made(mistaken.post(KEYS, {"name": "n"}))
        first, again = (mistaken.call("DELETE", f"{KEYS}/{key['id']}").json for _ in range(2))
        assert first == again
        assert Event.objects.filter(type=Event.Type.API_KEY_DISABLED).count() == 1

    def test_of_oneself_says_so(self, mistaken: ApiClient) -> None:
        key_with(Scope.KEYS)
        answer = mistaken.call("DELETE", f"{KEYS}/{id_of(mistaken)}")
        assert answer.json["notice"] == "This was the key of the request: it no longer works."
        assert mistaken.get("/merchants/me").status == 401

    def test_of_the_last_one_that_can_make_keys_says_so(self, mistaken: ApiClient) -> None:
        key_with(Scope.PAYMENTS_READ)
        key_with(Scope.KEYS, mode=Mode.TEST)
        answer = mistaken.call("DELETE", f"{KEYS}/{id_of(mistaken)}")
        assert "No API key with the scope `keys` is left" in answer.json["notice"]


class TestTheList:
    def test_has_the_keys_of_the_mode_newest_first_without_the_long_ended(self, mistaken: ApiClient) -> None:
        made(mistaken.post(KEYS, {"name": "new"}))
        ApiKeyFactory(name="of test mode", mode=Mode.TEST)
        ApiKeyFactory(name="ended", disabled_at=clock_in(-29 * 86400))
        ApiKeyFactory(name="long ended", disabled_at=clock_in(-31 * 86400))
        ApiKeyFactory(name="long expired", expires_at=clock_in(-31 * 86400))
        names = [one["name"] for one in mistaken.get(KEYS).json["results"]]
        assert names == ["ended", "new", None]

    def test_says_when_each_was_last_used(self, mistaken: ApiClient) -> None:
        key, client = made(mistaken.post(KEYS, {"name": "n"}))
        assert exchange.exchange()
        assert client.get("/payments").status == 200
        assert exchange.exchange()
        used = {one["id"]: one["last_used_at"] for one in mistaken.get(KEYS).json["results"]}
        for key_id in (key["id"], id_of(mistaken)):
            age = datetime.now(UTC) - datetime.fromisoformat(used[key_id])
            assert timedelta(0) <= age < timedelta(minutes=1)

    def test_writes_a_use_once_a_minute(self, mistaken: ApiClient) -> None:
        mistaken.get("/payments")
        assert exchange.exchange()
        first = ApiKey.objects.get().last_used_at
        mistaken.get("/payments")
        assert exchange.exchange()
        assert ApiKey.objects.get().last_used_at == first


def needed_by(method: str, path: str) -> Scope | None:
    """The scope that a call needs."""
    if path == "/merchants/me":
        return None
    if path.startswith(KEYS):
        return Scope.KEYS
    return Scope.PAYMENTS_READ if method == "GET" else Scope.PAYMENTS_WRITE


class TestScopes:
    def test_open_what_they_name_and_nothing_else(self, mistaken: ApiClient) -> None:
        clients = {scope: key_with(scope) for scope in Scope}
        for method, path in calls():
            needed, nowhere = needed_by(method, path), filled(path, defaultdict(lambda: "x"))
            for scope, client in clients.items():
                headers = {"Idempotency-Key": "k"} if method == "POST" else {}
                answer = client.call(method, nowhere, headers=headers)
                assert (answer.status == 403) is (needed not in (None, scope)), (method, path, scope, answer)
                if answer.status == 403:
                    assert answer.json["code"] == "permission_denied"
                    assert f"`{needed}`" in answer.json["detail"]

    @pytest.mark.usefixtures("db")
    def test_are_all_where_nothing_else_is_said(self) -> None:
        create_merchant(slug="ficmart", name="FicMart")
        assert issue_api_key(slug="ficmart", mode=Mode.LIVE).key.scopes == [scope.value for scope in Scope]
