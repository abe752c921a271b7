"""The test mode's bank, and the registry of banks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from payments.banks import registry
from payments.banks.ficmart import FicmartBank
from payments.banks.registry import bank_named
from payments.banks.sandbox import SandboxBank
from payments.domain.cards import Card
from payments.domain.money import Currency
from payments.domain.replies import Approval, Decline, NotSent, Reply, Said
from payments.domain.states import OperationKind
from payments.domain.timing import Timing
from tests.banks.instructions import AUTHORIZATION, instruction

GOOD = Card("4111111111111111", 12, 2030, "123")
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


@pytest.fixture
def sandbox() -> SandboxBank:
    return SandboxBank()


def send(
    bank: SandboxBank, kind: OperationKind = OperationKind.AUTHORIZE, card: Card | None = GOOD, **fields: Any
) -> Reply:
    return bank.send(instruction(kind, **fields), card=card, may_send=lambda: True)


class TestTheTestCards:
    @pytest.mark.parametrize(
        ("card", "amount_minor", "code"),
        [
            (GOOD, 1_000_000, None),
            (GOOD, 1_000_001, "insufficient_funds"),
            (Card("4242424242424242", 6, 2030, "456"), 50_000, None),
            (Card("4242424242424242", 6, 2030, "456"), 50_001, "insufficient_funds"),
            (Card("5555555555554444", 9, 2030, "789"), 1, "insufficient_funds"),
            (Card("5105105105105100", 3, 2020, "321"), 1, "card_expired"),
            (Card("4111111111111111", 12, 2030, "124"), 1, "invalid_cvv"),
            (Card("5105105105105100", 3, 2020, "999"), 1, "invalid_cvv"),
            (Card("4012888888881881", 12, 2030, "123"), 1, "invalid_card"),
            (None, 1, "invalid_card"),
        ],
    )
    def test_are_judged_as_the_banks_contract_has_them(
        self, sandbox: SandboxBank, card: Card | None, amount_minor: int, code: str | None
    ) -> None:
        with time_machine.travel(NOW, tick=False):
            reply = send(sandbox, card=card, amount_minor=amount_minor)
        if code is None:
            assert isinstance(reply, Approval)
            assert reply.expires_at == NOW + timedelta(days=7)
        else:
            assert reply == Decline(Said(code), 402 if code == "insufficient_funds" else 400)

    def test_expire_by_the_banks_record_and_not_by_the_request(self, sandbox: SandboxBank) -> None:
        with time_machine.travel(datetime(2030, 12, 31, 23, 59, tzinfo=UTC)):
            assert isinstance(send(sandbox, card=Card(GOOD.number, 1, 2099, "123")), Approval)
        with time_machine.travel(datetime(2031, 1, 1, tzinfo=UTC)):
            assert send(sandbox, card=Card(GOOD.number, 1, 2099, "123")) == Decline(Said.CARD_EXPIRED, 400)


class TestInstructions:
    @pytest.mark.parametrize(
        ("kind", "prefix"),
        [
            (OperationKind.AUTHORIZE, "auth_"),
            (OperationKind.CAPTURE, "cap_"),
            (OperationKind.VOID, "void_"),
            (OperationKind.RELEASE, "void_"),
            (OperationKind.REFUND, "ref_"),
        ],
    )
    def test_are_executed_and_named_after_their_key(
        self, sandbox: SandboxBank, kind: OperationKind, prefix: str
    ) -> None:
        card = GOOD if kind is OperationKind.AUTHORIZE else None
        first, again = send(sandbox, kind, card), send(SandboxBank(), kind, card)
        other = send(sandbox, kind, card, idempotency_key="another")
        references = [reply.reference for reply in (first, again, other) if isinstance(reply, Approval)]
        assert references[0].startswith(prefix)
        assert references[0] == references[1] != references[2]

    def test_are_not_executed_when_they_may_not_be_sent(self, sandbox: SandboxBank) -> None:
        assert isinstance(sandbox.send(instruction(), card=GOOD, may_send=lambda: False), NotSent)

    def test_never_meet_ill_health(self, sandbox: SandboxBank) -> None:
        assert sandbox.is_healthy()

    def test_of_different_kinds_never_get_the_same_reference(self, sandbox: SandboxBank) -> None:
        held = send(sandbox)
        voided = send(sandbox, OperationKind.VOID, None, target_reference=AUTHORIZATION)
        assert isinstance(held, Approval)
        assert isinstance(voided, Approval)
        assert held.reference != voided.reference


class TestTheRegistry:
    @pytest.fixture(autouse=True)
    def _forgetful(self) -> Iterator[None]:
        bank_named.cache_clear()
        yield
        bank_named.cache_clear()

    def test_knows_the_banks_by_their_names(self) -> None:
        assert registry.NAMES == ("ficmart", "acquirer", "sandbox")
        assert isinstance(bank_named("ficmart"), FicmartBank)
        assert isinstance(bank_named("sandbox"), SandboxBank)
        assert all(bank_named(name).name == name for name in registry.NAMES)
        assert {name: set(bank_named(name).abilities.currencies) for name in registry.NAMES} == {
            "ficmart": {"USD"},
            "acquirer": {"USD", "GBP", "EUR"},
            "sandbox": set(Currency),
        }

    def test_gives_everybody_the_same_one(self) -> None:
        assert bank_named("ficmart") is bank_named("ficmart")

    @pytest.mark.parametrize("name", ["", "FICMART", "nobody"])
    def test_knows_no_other(self, name: str) -> None:
        with pytest.raises(KeyError):
            bank_named(name)

    def test_gives_ficmart_the_settings_address_and_timing(self, settings: Any) -> None:
        settings.BANK_URL, settings.BANK_TIMING = "http://elsewhere:1", Timing(read=20.0)
        bank = bank_named("ficmart")
        assert isinstance(bank, FicmartBank)
        assert (bank._line._url, bank.abilities.timing) == ("http://elsewhere:1", Timing(read=20.0))

    def test_gives_each_bank_its_own_threads_and_timing(self, settings: Any) -> None:
        settings.BANK_THREADS_OF = {"acquirer": 3}
        settings.BANK_TIMINGS = {"acquirer": Timing(read=10.0)}
        of = {name: bank_named(name).abilities for name in ("ficmart", "acquirer")}
        assert {name: one.calls_in_flight for name, one in of.items()} == {
            "ficmart": settings.BANK_THREADS,
            "acquirer": 3,
        }
        assert {name: one.timing.read for name, one in of.items()} == {"ficmart": 30.0, "acquirer": 10.0}
