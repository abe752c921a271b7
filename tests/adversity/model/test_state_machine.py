"""Random lives of the gateway: merchants, staff, a bank with every fault, dying senders, jumping clocks.

After every step all invariants hold: the audit's rules, the bank's ledger beside our receipts
(`tests.support.bank_books`, `tests.adversity.model.books`), one call in flight for a key, one final response
for an idempotency key, to the byte. At the end of each life the bank is well, and everything must settle.

    pytest tests/adversity/model                            what CI runs: few lives, the same each time
    HYPOTHESIS_PROFILE=long pytest tests/adversity/model    many and longer lives, new ones each time;
                                                            MODEL_LIVES=300

CI's choices hang on the code that is loaded (Hypothesis tries the numbers it finds there): the same for the
same code and the same tests before this one. What a thread or a socket does meanwhile is the machine's, as
in life. A failure prints the life's steps. In the long profile it is shrunk first, and kept in `.hypothesis`.

What the model leaves out, and why: the bank works on nothing for longer than a lease (then a second call
could meet the first, which no gateway can rule out), and it does not say of something it has done that it
has not. Three rules of the audit say that recovery keeps up; they are judged when it has run since the
clock last moved, and not in the minutes before.
"""

import sys
from collections import Counter
from copy import copy
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from payments.domain.ids import PAYMENT_PREFIX, parse_public_id
from payments.domain.states import PAYMENT_EDGES, Mode
from payments.models import Operation, Payment
from payments.usecases import recovery
from payments.usecases.expirations import expire_due
from payments.usecases.merchants import create_merchant, issue_api_key
from reconciliation.services import pending
from reconciliation.services.audit import violations
from tests.adversity.model.books import Books, asked_once, stored_answers
from tests.adversity.model.faults import FAULTS, FAULTS_OF_ACQUIRER, Fault
from tests.adversity.model.merchants import Ask, Merchants
from tests.adversity.model.profiles import profile
from tests.adversity.model.senders import Fate
from tests.adversity.model.staff import StaffAtWork
from tests.adversity.model.world import World, in_background, on_its_own, together
from tests.support import api_client
from tests.support.api_client import CARDS, ApiClient, ApiResponse, assert_documented
from tests.support.bank_books import disagreements
from tests.support.simulated_acquirer import SimulatedAcquirer
from tests.support.simulated_bank import SimulatedBank

MINUTES, HOURS, DAYS = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# Rules of the audit that hold while recovery's process runs.
_OF_RECOVERY = {"doubts_are_asked_about", "doubts_are_bounded_in_time", "no_hold_is_forgotten"}
_VERBS = ("capture", "void", "refund")
_NEXT = {"AUTHORIZED": "capture", "CAPTURED": "refund"}
SOME_FAULTS = st.lists(FAULTS, max_size=2)
_FATES = st.one_of(st.none(), st.sampled_from(list(Fate)))
ANY = st.integers(0, 1000)  # an index into whatever there is by then


class Lives(RuleBasedStateMachine):
    """One life of the gateway."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        world.begin()
        self.merchants = Merchants(world.clients)
        self.staff = StaffAtWork()
        self.states: dict[str, str] = {}  # of each payment, as last told
        self.replies_lost = 0  # how many the bank may have lost
        self.contradicting = False  # whether it has been scripted to disagree with our books

    # Clients.

    @initialize()
    def some_payments(self) -> None:
        """A life begins with something to go on with."""
        for order, merchant in enumerate(("ficmart", "ficmart", "rival"), start=1):
            self.merchants.send(self._authorize(merchant, order, which=0))
            self._receipts_move_along_the_edges()
        self.merchants.send(self._step(2, "capture"))

    @rule(
        merchant=st.sampled_from(["ficmart", "rival"]), order=st.integers(1, 6), which=ANY, faults=SOME_FAULTS
    )
    def authorize(self, merchant: str, order: int, which: int, faults: list[Fault]) -> None:
        self._script(faults)
        self.merchants.send(self._authorize(merchant, order, which))

    @rule(order=st.integers(1, 6), which=ANY, faults=st.lists(FAULTS_OF_ACQUIRER, max_size=2), fate=_FATES)
    def authorize_at_the_bank_without_keys(
        self, order: int, which: int, faults: list[Fault], fate: Fate | None
    ) -> None:
        """And again under the same key: whatever has become of the first, it is asked once."""
        for fault in faults:
            self.world.acquirer.script(fault.endpoint, fault.step, times=fault.times, **fault.options)
        if fate is not None:
            self.world.senders.doom(fate)
        ask = self._authorize("ficmart", order, which, currency="EUR")
        self.merchants.send(ask)
        self.merchants.send(ask, with_key=1)

    @rule(which=ANY, verb=st.sampled_from((*_VERBS, "next", "next", "next")), faults=SOME_FAULTS)
    def go_on(self, which: int, verb: str, faults: list[Fault]) -> None:
        self._script(faults)
        self.merchants.send(self._step(which, verb, {"amount": 1} if which % 10 == 9 else None))

    @rule(which=ANY, with_key=ANY, faults=SOME_FAULTS)
    def retry(self, which: int, with_key: int, faults: list[Fault]) -> None:
        self._script(faults)
        self.merchants.send(self.merchants.earlier(which), with_key)

    @rule(which=ANY, how=st.sampled_from(["body", "operation", "payment", "merchant"]))
    def reuse_a_key(self, which: int, how: str) -> None:
        """For another request: 422, and the bank hears nothing. Another merchant's key is another key."""
        ask = self.merchants.earlier(which)
        others = [one for one in self.states if one not in ask.path]
        body = ask.body or {}
        if how == "merchant":
            rival = "rival" if ask.merchant == "ficmart" else "ficmart"
            ask = Ask(rival, ask.key, ask.path, ask.body)
        elif how == "payment" and others and ask.path != "/payments":
            ask = Ask(ask.merchant, ask.key, f"/payments/{others[which % len(others)]}/capture")
        elif how == "operation" and ask.path != "/payments":
            verb = _VERBS[(_VERBS.index(ask.path.rpartition("/")[2]) + 1) % 3]
            ask = Ask(ask.merchant, ask.key, f"{ask.path.rpartition('/')[0]}/{verb}", ask.body)
        else:
            ask = Ask(ask.merchant, ask.key, ask.path, {**body, "amount": body.get("amount", 5000) + 1})
        # The rival may have asked just this under its key of that name: then it is a retry.
        heard = self._heard() if self.merchants.claimed.get(ask.scope, ask) != ask else None
        self.merchants.send(ask)
        assert heard is None or self._heard() == heard, "the bank has heard of a key reused"

    @rule(
        which=ANY,
        pair=st.sampled_from(["same key", "capture and void", "retry and recovery", "recoveries"]),
        faults=SOME_FAULTS,
    )
    def at_once(self, which: int, pair: str, faults: list[Fault]) -> None:
        """Two calls, begun at the same moment."""
        self._script(faults)
        if pair == "recoveries":
            together(self.world.recover, self.world.recover)
            return
        if pair == "retry and recovery":
            asks = [self.merchants.earlier(which)] if self.merchants.claimed else []
        elif pair == "same key":
            asks = [
                self._step(which, "next") if which % 2 else self._authorize("ficmart", which % 6 + 1, which)
            ] * 2
        else:
            asks = [self._step(which, "capture"), self._step(which, "void")]
        calls = [partial(self.merchants.post, ask, number) for number, ask in enumerate(asks)]
        if len(calls) < 2:
            calls.append(self.world.recover)
        knew = [self.merchants.known(ask) for ask in asks]
        answers = together(*calls)[: len(asks)]
        for ask, answer, known in zip(asks, answers, knew, strict=True):
            self.merchants.learn(ask, answer, known)
        if pair == "capture and void":
            assert [one.status for one in answers if one].count(200) < 2, answers

    # The bank.

    @rule(
        what=st.sampled_from(["forget the script", "weather", "database", "stop", "kill"]),
        failure_rate=st.sampled_from([0, 0, 0.3, 1]),
        latency_ms=st.sampled_from([0, 100]),
        which=ANY,
    )
    def the_bank_changes(self, what: str, failure_rate: float, latency_ms: int, which: int) -> None:
        bank = self.world.bank
        if not self.world.is_bank_up:
            self.world.restart_bank()
        elif what == "forget the script":
            bank.clear_script()
        elif what == "weather":
            bank.weather(failure_rate=failure_rate, min_latency_ms=latency_ms, max_latency_ms=latency_ms)
        elif what == "database":
            bank.database_down(failure_rate > 0)
        else:
            self.world.stop_bank(kill=what == "kill")
            self.merchants.send(self._any(which))

    @rule(which=ANY, at=st.sampled_from(["execution", "storing"]), ignores_hangup=st.booleans())
    @precondition(lambda self: self.world.is_bank_up)
    def the_bank_takes_its_time(self, which: int, at: Any, ignores_hangup: bool) -> None:
        """The sender gives up waiting while the call is alive: nobody sends a second one beside it."""
        bank = self.world.bank
        ask = self._step(which, "next") if which % 3 else self._authorize("ficmart", which % 6 + 1, which)
        if ignores_hangup:
            for endpoint in ("authorizations", "captures", "voids", "refunds"):
                bank.script(endpoint, "delay", ms=0, ignores_hangup=True)
        bank.hold(at=at)
        self.replies_lost += at == "storing" and not ignores_hangup
        self.merchants.send(ask)
        if self.world.is_anybody_sending() or bank.waiting():
            self._an_operator_asks()
            self.merchants.send(ask, with_key=1)
        bank.release()
        self.world.rest()

    # Senders.

    @rule(fate=st.sampled_from(list(Fate)), which=ANY, faults=SOME_FAULTS)
    def a_sender_is_struck(self, fate: Fate, which: int, faults: list[Fault]) -> None:
        self._script(faults)
        self.world.senders.doom(fate)
        self.merchants.send(self._any(which))

    @rule(
        which=ANY,
        at=st.sampled_from(["before the first byte", "with the answer in hand"]),
        recovers=st.integers(0, 2),
        minutes=st.sampled_from([1, 6, 11, 75]),
        meanwhile=st.sampled_from(["faults", "forgotten", "silent"]),
        faults=SOME_FAULTS,
    )
    def a_sender_sleeps_through_its_lease(
        self, which: int, at: str, recovers: int, minutes: int, meanwhile: str, faults: list[Fault]
    ) -> None:
        """A merchant's call or recovery; others go on meanwhile, and it wakes up late.

        Where the bank has "forgotten" what it did, nothing but the sleeper's answer tells of it. Where it
        is "silent" to whoever comes meanwhile, the sleeper must not take its own view for the last word.
        """
        silence = [Fault(one, "drop_after", times=2) for one in ("captures", "voids", "refunds")]
        forgotten = [Fault("authorizations", "lookup_fails")]
        self._script({"faults": faults, "forgotten": forgotten, "silent": silence}[meanwhile])
        ask = None if which % 4 == 0 else self._any(which)
        known = self.merchants.known(ask) if ask else None
        sleep = self.world.senders.put_to_sleep(at)
        late = in_background(partial(self.merchants.post, ask, 0) if ask else self.world.recover)
        while not (sleep.reached.wait(0.02) or late.done()):
            pass
        if sleep.reached.is_set():
            self.world.let_pass(minutes * MINUTES, resting=False)
            for _ in range(recovers):
                self.world.recover()
                self.world.let_pass(11 * MINUTES, resting=False)
            if ask and which % 3 == 0:
                self.merchants.send(ask, with_key=1)
            sleep.wake()
        self.world.senders.forget()
        answer = late.result()
        self.world.rest()
        if ask and known:
            self.merchants.learn(ask, answer, known)

    # Time and what goes by it.

    @rule(
        jump=st.sampled_from([MINUTES, 5 * MINUTES, 11 * MINUTES, HOURS, 23 * HOURS, 24 * HOURS, 7 * DAYS]),
        recovers=st.sampled_from([True, True, False]),
    )
    def time_passes(self, jump: timedelta, recovers: bool) -> None:
        self.world.let_pass(jump)
        if recovers:
            self.world.recover()

    @rule(rounds=st.integers(2, 4), faults=SOME_FAULTS)
    def recovery_keeps_running(self, rounds: int, faults: list[Fault]) -> None:
        self._script(faults)
        for _ in range(rounds):
            self.world.let_pass(6 * MINUTES)
            self.world.recover()

    @rule(what=st.sampled_from(["recovery", "an operator", "expirations"]), faults=SOME_FAULTS)
    def is_run(self, what: str, faults: list[Fault]) -> None:
        self._script(faults)
        if what == "recovery":
            self.world.recover()
        elif what == "expirations":
            expire_due(limit=100)
        else:
            self._an_operator_asks()

    @rule(what=st.sampled_from(["ask again", "instruct", "settle", "decide"]), which=ANY, faults=SOME_FAULTS)
    def staff_are_at_work(self, what: str, which: int, faults: list[Fault]) -> None:
        self._script(faults)
        if what == "ask again":
            self.staff.ask_again(which)
        elif what == "instruct":
            self.staff.instruct(which)
        elif not self.world.is_anybody_sending():
            books = Books(self.world.ledger())
            self.staff.settle(which, books) if what == "settle" else self.staff.decide(books)

    # What must hold after each of them.

    @invariant()
    def everything_holds(self) -> None:
        self._the_audit_finds_nothing()
        self._the_bank_agrees()
        self._no_key_is_ever_in_flight_twice()
        self._a_final_response_stays()
        self._receipts_move_along_the_edges()
        self._what_is_ready_to_ship_is_paid()

    def _the_audit_finds_nothing(self) -> None:
        spared = set() if self.world.is_recovered else _OF_RECOVERY
        found = [one for one in violations() if one.rule not in spared]
        assert found == []

    def _the_bank_agrees(self) -> None:
        books = Books(self.world.ledger())
        ended = [one for one in self.world.requests() if one.ended == "caller hung up"]
        hung_up = Counter(one.idempotency_key or "" for one in ended)
        found = disagreements(self.world)  # type: ignore[arg-type]
        found += books.money() + books.holds_of_a_key(excused=self.replies_lost, hung_up=hung_up)
        found += asked_once(self.world.acquirer.decisions())
        assert found == []

    def _no_key_is_ever_in_flight_twice(self) -> None:
        assert set(self.world.max_in_flight().values()) <= {1}
        assert self.world.senders.trespasses == []

    def _a_final_response_stays(self) -> None:
        stored = stored_answers()
        for scope, final in self.merchants.finals.items():
            assert stored.get(scope) == final, scope
        self.merchants.finals = stored

    def _receipts_move_along_the_edges(self) -> None:
        known = set(PAYMENT_EDGES)
        for payment in Payment.objects.all():
            before = self.states.get(payment.public_id, "PENDING")
            assert before == payment.state or _leads(before, payment.state, known), (payment, before)
            self.states[payment.public_id] = payment.state

    def _what_is_ready_to_ship_is_paid(self) -> None:
        books = Books(self.world.ledger())
        for payment in Payment.objects.select_related("merchant").order_by("-created_at")[:1]:
            client = self.world.clients[payment.merchant.slug][0]
            order = client.get(f"/orders/{payment.order_id}").json
            if order["ready_to_ship"]:
                now = max(one.received_at for one in self.world.requests())
                if payment.bank == "ficmart":  # the other books are judged by `asked_once`
                    assert books.ready(order["payment"], now) == []

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self._settle()
        finally:
            self.world.end()

    # The end of a life: the bank is well, and time passes until everything is settled.

    def _settle(self) -> None:
        self.world.senders.forget()
        self.world.bring_fair_weather()
        self._let_settle()
        self.everything_holds()
        for ask in list(self.merchants.claimed.values()):
            answer = self.merchants.send(ask)
            assert answer, ask
        self._let_settle()
        for later in (1 * HOURS, 5 * HOURS, 16 * HOURS):  # the late looks
            self.world.let_pass(later)
            self._let_settle()
        self.everything_holds()
        books = Books(self.world.ledger())
        reviews = books.unnamed_reviews(contradicting=self.contradicting)
        assert reviews == []
        left = [one for one in disagreements(self.world, settled=True) if "is NEEDS_REVIEW" not in one]  # type: ignore[arg-type]
        assert left == []
        for ask in self.merchants.claimed.values():
            self.merchants.send(ask)

    def _let_settle(self) -> None:
        for _ in range(12):
            self.world.let_pass(6 * MINUTES)
            self.world.recover()
            if not self.world.is_anything_open():
                return
        left = list(Operation.objects.filter(state="OPEN").values())
        raise AssertionError(f"does not settle: {left}")

    # What is asked, and what is learnt from the answers.

    def _authorize(self, merchant: str, order: int, which: int, currency: str = "USD") -> Ask:
        card = CARDS[("visa", "visa", "visa", "visa-500", "visa-500", "no-funds", "expired")[which % 7]]
        body = {
            "order_id": f"order-{order}",
            "customer_id": "customer-7",
            "amount": 30000 if card is CARDS["visa-500"] else 5000 + which % 3,
            "currency": currency,
            "card": card,
        }
        key = self.merchants.new_key()
        if currency != "USD":  # each of its own amount: that bank knows no keys
            body["amount"] = 100_000 + 10 * int(key.removeprefix("key-"))
        return Ask(merchant, key, "/payments", body)

    def _step(self, which: int, verb: str, body: dict[str, Any] | None = None) -> Ask:
        payments = sorted(self.states)
        # Mostly one of the newest: the older ones have come to their end.
        payment_id = payments[-1 - (which % min(len(payments), 4))]
        if verb == "next":
            verb = _NEXT.get(self.states[payment_id], "void")
        payment = Payment.objects.select_related("merchant").get(
            pk=parse_public_id(PAYMENT_PREFIX, payment_id)
        )
        return Ask(payment.merchant.slug, self.merchants.new_key(), f"/payments/{payment_id}/{verb}", body)

    def _any(self, which: int) -> Ask:
        if self.merchants.claimed and which % 3 == 0:
            return self.merchants.earlier(which)
        if self.states and which % 3 == 1:
            return self._step(which, "next")
        return self._authorize("ficmart", which % 6 + 1, which)

    def _an_operator_asks(self) -> None:
        """As `manage.py reconcile pending` does: about everything, due or not."""
        for doubt in pending.in_doubt():
            on_its_own(partial(recovery.recover, doubt.operation_id))

    def _script(self, faults: list[Fault]) -> None:
        if not self.world.is_bank_up:
            return
        for fault in faults:
            self.world.bank.script(fault.endpoint, fault.step, times=fault.times, **fault.options)
            self.replies_lost += fault.times * fault.loses_replies
            self.contradicting |= fault.contradicts

    def _heard(self) -> int:
        """How many instructions the bank has seen."""
        return sum(one.method == "POST" for one in self.world.requests())


def _leads(before: str, after: str, edges: set[tuple[Any, Any]]) -> bool:
    """Whether one state is reached from another: several may have been passed since it was last told."""
    return any(one == before and (then == after or _leads(then, after, edges)) for one, then in edges)


def _documented(method: str, path: str, answer: ApiResponse) -> None:
    """As for every client. A retry that continues a doubt may be told the answer to the first request."""
    shown = copy(answer)
    if method == "POST" and answer.status in (402, 409, 503):
        shown.headers = {**answer.headers, "Idempotent-Replayed": "true"}
    assert_documented(method, path, shown)


@pytest.fixture
def world(
    transactional_db: None,
    bank: SimulatedBank,
    acquirer: SimulatedAcquirer,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    clients = {}
    for slug, keys in (("ficmart", 2), ("rival", 1)):
        create_merchant(slug=slug, name=slug)
        clients[slug] = [ApiClient(issue_api_key(slug=slug, mode=Mode.LIVE).plain) for _ in range(keys)]
    monkeypatch.setattr(api_client, "assert_documented", _documented)
    world = World(bank, acquirer, clients, settings)
    world.install(monkeypatch)
    return world


def test_every_life_keeps_the_promise(world: World) -> None:
    run_state_machine_as_test(partial(Lives, world), settings=profile())
