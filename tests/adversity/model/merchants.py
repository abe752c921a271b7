"""The merchants' order services: what each has asked under which key, and what it was told in the end."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from payments.models import IdempotencyKey
from tests.adversity.model.senders import Died
from tests.adversity.model.world import on_its_own
from tests.support.api_client import ApiClient, ApiResponse

_FINAL = (200, 201, 402)


@dataclass(frozen=True)
class Ask:
    """A POST of a merchant. The same key and the same of everything else is a retry."""

    merchant: str
    key: str
    path: str
    body: dict[str, Any] | None = field(default=None, hash=False)

    @property
    def scope(self) -> tuple[str, str]:
        return self.merchant, self.key


@dataclass(frozen=True)
class Known:
    """What stood behind a key when a request was sent: what comes meanwhile does not bind its answer."""

    first: Ask | None  # the request that it was claimed for
    final: tuple[int, bytes] | None


class Merchants:
    """The model of idempotency: a key stands for its first request, and has one final response."""

    def __init__(self, clients: dict[str, list[ApiClient]]) -> None:
        self._clients = clients
        self._keys = 0
        self.claimed: dict[tuple[str, str], Ask] = {}  # the request for which a key stands
        self.finals: dict[tuple[str, str], tuple[int, bytes]] = {}

    def earlier(self, which: int) -> Ask:
        claimed = list(self.claimed.values())
        return claimed[-1 - (which % min(len(claimed), 5))]

    def new_key(self) -> str:
        self._keys += 1
        return f"key-{self._keys}"

    def send(self, ask: Ask, with_key: int = 0) -> ApiResponse | None:
        known = self.known(ask)
        answer = on_its_own(partial(self.post, ask, with_key))
        self.learn(ask, answer, known)
        return answer  # type: ignore[no-any-return]

    def post(self, ask: Ask, with_key: int) -> ApiResponse | None:
        clients = self._clients[ask.merchant]
        try:
            return clients[with_key % len(clients)].post(ask.path, ask.body, key=ask.key)
        except Died:
            return None

    def known(self, ask: Ask) -> Known:
        return Known(self.claimed.get(ask.scope), self.finals.get(ask.scope))

    def learn(self, ask: Ask, answer: ApiResponse | None, known: Known) -> None:
        first, final = known.first, known.final
        claimed = IdempotencyKey.objects.filter(merchant__slug=ask.merchant, key=ask.key).exists()
        if first is not None:
            assert claimed, f"{ask.key} is no longer claimed"
        elif claimed:
            self.claimed[ask.scope] = ask
        if answer is None:
            return
        reused = answer.status == 422 and answer.json["code"] == "idempotency_key_reused"
        assert reused == (first is not None and first != ask), (ask, first, answer)
        if answer.status >= 500:
            assert answer.json["code"] == "bank_unavailable", answer
        if reused:
            return
        if final is not None:
            assert (answer.status, answer.body) == final, (ask, final, answer)
            assert answer.headers["Idempotent-Replayed"] == "true"
        elif answer.status in _FINAL:
            told = self.finals.setdefault(ask.scope, (answer.status, answer.body))
            assert (answer.status, answer.body) == told, (ask, told, answer)
