"""Every example of the API's documentation, brought about: an error of each code, a receipt of each state.

What differs from time to time (ids, times, the request's id) is evened out; all else is compared.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from ficpay.intake import FAULT, LATE
from payments.api import examples
from payments.api.problem_examples import problem
from payments.domain.problems import PROBLEMS
from payments.domain.scopes import Scope
from payments.domain.states import Mode, OperationKind, OperationState
from payments.domain.timing import Timing
from payments.engine.capacity import capacity_of
from payments.models import Merchant, RateLimit
from payments.usecases.merchants import MOST_KEYS, NewKey, issue_api_key
from tests.support.abilities import can_only
from tests.support.api_client import CARDS, ApiClient, ApiResponse
from tests.support.factories import ApiKeyFactory, OperationFactory, PaymentFactory
from tests.support.rate_windows import Windows
from tests.support.simulated_acquirer import SimulatedAcquirer
from tests.support.simulated_bank import SimulatedBank

_UNEVEN = (
    (re.compile(r"(pay|op)_[0-9a-f]{32}"), r"\1_x"),
    (re.compile(r"(auth|cap|void|ref)_[0-9a-f-]{36}"), r"\1_x"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"), "at"),
    (re.compile(r'"request_id": "[^"]*"'), '"request_id": "x"'),
)
BODY = examples.AUTHORIZE
NOWHERE = f"/payments/pay_{'0' * 32}/capture"


def evened(body: dict[str, Any]) -> dict[str, Any]:
    """The body without what no two answers share."""
    text = json.dumps(body)
    for uneven, even in _UNEVEN:
        text = uneven.sub(even, text)
    found: dict[str, Any] = json.loads(text)
    return found


class Scene:
    """What the scenarios have at hand."""

    def __init__(self, client: ApiClient, bank: SimulatedBank, settings: Any, patch: Any) -> None:
        self.client, self.bank, self.settings, self.patch = client, bank, settings, patch

    def with_card(self, currency: str = "USD", **card: Any) -> ApiResponse:
        return self.client.post("/payments", BODY | {"currency": currency, "card": BODY["card"] | card})

    def authorized(self) -> str:
        """The address of a new payment."""
        return f"/payments/{self.client.authorized(**BODY)['id']}"

    def unfinished(self, state: OperationState) -> ApiResponse:
        """A void beside a capture in that state."""
        shown = {name: BODY[name] for name in ("order_id", "customer_id", "description", "metadata")}
        payment = PaymentFactory(authorized=True, merchant=Merchant.objects.get(), **shown)
        OperationFactory(payment=payment, succeeded=True)
        OperationFactory(payment=payment, kind=OperationKind.CAPTURE, state=state)
        return self.client.post(f"/payments/{payment.public_id}/void")


def fail(error: Exception) -> Callable[..., Any]:
    def raise_it(*_: Any, **__: Any) -> Any:
        raise error

    return raise_it


def not_valid(scene: Scene) -> ApiResponse:
    card = BODY["card"] | {"number": "4111 1111 1111 1111", "expiry_month": 13, "expiry_year": 30}
    return scene.client.post("/payments", BODY | {"amount": 50.0, "card": card})


def unknown_key(scene: Scene) -> ApiResponse:
    return ApiClient("sk_live_unknown").post("/payments", BODY)


def without_its_scope(scene: Scene) -> ApiResponse:
    reads = NewKey(scopes=frozenset({Scope.PAYMENTS_READ}))
    key = issue_api_key(slug="ficmart", mode=Mode.LIVE, wanted=reads).plain
    return ApiClient(key).post("/payments", BODY)


def one_key_too_many(scene: Scene) -> ApiResponse:
    for _ in range(MOST_KEYS - 1):
        ApiKeyFactory()
    return scene.client.post("/merchants/me/api-keys", {"name": "one more"})


def one_write_too_many(scene: Scene) -> ApiResponse:
    RateLimit.objects.create(merchant=Merchant.objects.get(), mode=Mode.LIVE, writes=100, reads=1)
    Windows(scene.patch)
    for _ in range(100):
        assert scene.client.post(NOWHERE).status == 404
    return scene.client.post("/payments", BODY)


def captured_twice(scene: Scene) -> ApiResponse:
    address = scene.authorized()
    scene.client.post(f"{address}/capture")
    return scene.client.post(f"{address}/capture")


def captured_late(scene: Scene) -> ApiResponse:
    address = scene.authorized()
    scene.bank.move_clock(seconds=8 * 24 * 3600)
    return scene.client.post(f"{address}/capture")


def captured_at_a_bank_that_does_not(scene: Scene) -> ApiResponse:
    address = scene.authorized()
    can_only(scene.patch, "ficmart", OperationKind.AUTHORIZE)
    return scene.client.post(f"{address}/capture")


def authorized_twice(scene: Scene) -> ApiResponse:
    scene.authorized()
    return scene.client.post("/payments", BODY)


def asked_again_at_once(scene: Scene) -> ApiResponse:
    scene.settings.BANK_TIMING = Timing(start_window=0.1, client_wait=10, backoff_base=0.05, backoff_cap=0.1)
    scene.bank.script("authorizations", "drop_before", times=1000)
    assert scene.client.post("/payments", BODY, key="k").status == 202
    return scene.client.post("/payments", BODY, key="k")


def asked_for_something_else(scene: Scene) -> ApiResponse:
    scene.client.post("/payments", BODY, key="k")
    return scene.client.post("/payments", BODY | {"amount": 1}, key="k")


def not_all_of_it(scene: Scene) -> ApiResponse:
    return scene.client.post(f"{scene.authorized()}/capture", {"amount": 4999})


def defect(scene: Scene) -> ApiResponse:
    scene.patch.setattr("payments.api.views.authorize_payment", fail(RuntimeError("a defect")))
    return scene.client.post("/payments", BODY)


def bank_away(scene: Scene) -> ApiResponse:
    scene.settings.BANK_TIMING = Timing(start_window=0.1, backoff_base=0.1, backoff_cap=0.1)
    scene.bank.stop()
    try:
        return scene.client.post("/payments", BODY)
    finally:
        scene.bank.restart()


def database_away(scene: Scene) -> ApiResponse:
    scene.patch.setattr("payments.api.authentication.find_caller", fail(OperationalError("refused")))
    return scene.client.post("/payments", BODY)


def crowded(scene: Scene) -> ApiResponse:
    scene.settings.BANK_THREADS = 1
    capacity_of.cache_clear()
    with capacity_of("ficmart").threads.reserve():
        answer = scene.client.post("/payments", BODY)
    capacity_of.cache_clear()
    return answer


def sent_slowly(_scene: Scene) -> ApiResponse:
    """What the intake hands on when the time is up; `test_server` shows that it is."""
    client = Client(raise_request_exception=False)
    return ApiResponse(client.post("/api/v1/payments", **{FAULT: LATE}))  # type: ignore[arg-type]


def not_json(scene: Scene) -> ApiResponse:
    headers = {"Idempotency-Key": "k"}
    return scene.client.call("POST", "/payments", body=b"<a/>", headers=headers, content_type="text/xml")


SCENES: dict[str, Callable[[Scene], ApiResponse]] = {
    "validation_error": not_valid,
    "idempotency_key_missing": lambda scene: scene.client.post("/payments", BODY, key=None),
    "idempotency_key_invalid": lambda scene: scene.client.post("/payments", BODY, key="a b"),
    "authentication_failed": unknown_key,
    "insufficient_funds": lambda scene: scene.with_card(**CARDS["no-funds"]),
    "card_expired": lambda scene: scene.with_card(**CARDS["expired"]),
    "invalid_card": lambda scene: scene.with_card(number="4012888888881881"),
    "invalid_cvv": lambda scene: scene.with_card(cvv="999"),
    "declined": lambda scene: scene.with_card(**CARDS["visa-500"], currency="EUR"),
    "permission_denied": without_its_scope,
    "not_found": lambda scene: scene.client.post(NOWHERE),
    "method_not_allowed": lambda scene: scene.client.call("DELETE", "/payments"),
    "request_timeout": sent_slowly,
    "invalid_transition": captured_twice,
    "operation_in_progress": lambda scene: scene.unfinished(OperationState.OPEN),
    "needs_review": lambda scene: scene.unfinished(OperationState.NEEDS_REVIEW),
    "not_supported": captured_at_a_bank_that_does_not,
    "authorization_expired": captured_late,
    "order_already_has_payment": authorized_twice,
    "idempotency_key_in_use": asked_again_at_once,
    "too_many_api_keys": one_key_too_many,
    "rate_limited": one_write_too_many,
    "payload_too_large": lambda scene: scene.client.post("/payments", b" " * 65_537),
    "unsupported_media_type": not_json,
    "idempotency_key_reused": asked_for_something_else,
    "amount_mismatch": not_all_of_it,
    "internal_error": defect,
    "bank_unavailable": bank_away,
    "service_unavailable": database_away,
    "overloaded": crowded,
}


@pytest.fixture
def scene(
    live: ApiClient,
    bank: SimulatedBank,
    acquirer: SimulatedAcquirer,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    return Scene(live, bank, settings, monkeypatch)


class TestExampleOfAnError:
    def test_there_is_a_scene_of_every_code(self) -> None:
        assert SCENES.keys() == PROBLEMS.keys()

    @pytest.mark.parametrize("code", PROBLEMS)
    def test_is_what_the_api_answers(self, scene: Scene, code: str) -> None:
        answer = SCENES[code](scene)
        assert evened(answer.json) == evened(problem(code))
        assert answer.status == PROBLEMS[code].status


class TestExampleOfAReceipt:
    def test_is_what_the_api_answers(self, scene: Scene) -> None:
        address = scene.authorized()
        steps = [scene.client.get(address)]
        steps += [scene.client.post(f"{address}/{verb}") for verb in ("capture", "refund")]
        voided = scene.client.post(f"{scene.authorized()}/void")
        shown = [examples.AUTHORIZED, examples.CAPTURED, examples.REFUNDED, examples.VOIDED]
        assert [evened(answer.json) for answer in [*steps, voided]] == [evened(each) for each in shown]

    @pytest.mark.parametrize("verb", ["authorize", "capture", "void", "refund"])
    def test_is_what_the_api_answers_while_unfinished(self, scene: Scene, verb: str) -> None:
        address = "" if verb == "authorize" else scene.authorized()
        if verb == "refund":
            scene.client.post(f"{address}/capture")
        scene.settings.BANK_TIMING = Timing(start_window=0.1, backoff_base=0.05, backoff_cap=0.1)
        path = {"authorize": "authorizations", "capture": "captures", "void": "voids", "refund": "refunds"}
        scene.bank.script(path[verb], "drop_before", times=1000)
        answer = scene.client.post(f"{address}/{verb}") if address else scene.client.post("/payments", BODY)
        assert (answer.status, evened(answer.json)) == (202, evened(examples.pending(verb)))
