"""What the adapter makes of the acquirer: its contract's answers, and everything else, which is silence."""

import json
from typing import Any

import pytest
import structlog

from payments.banks.acquirer import AcquirerBank
from payments.domain.replies import (
    Approval,
    BankError,
    Decline,
    NotDone,
    NotSent,
    Reply,
    Said,
    Silence,
    Unclear,
)
from payments.domain.states import OperationKind
from payments.domain.timing import Timing
from tests.banks.instructions import CARD, instruction
from tests.banks.raw_server import Behaviour, RawServer, answers, port_nobody_listens_on, response, says
from tests.support.simulated_acquirer import SimulatedAcquirer

CODE = "0bb07405-6d44-4b50-a14f-7ae0beff13ad"
APPROVED = {"authorized": True, "authorization_code": CODE}


def send(bank: AcquirerBank, **fields: Any) -> Reply:
    return bank.send(instruction(currency="EUR", **fields), card=CARD, may_send=lambda: True)


def told(timing: Timing, behaviour: Behaviour) -> Reply:
    with RawServer(behaviour) as server:
        return send(AcquirerBank(server.url, timing))


class TestAuthorizing:
    def test_sends_the_contracts_request_and_nothing_else(self, timing: Timing) -> None:
        with RawServer(answers(200, APPROVED)) as server:
            reply = send(AcquirerBank(server.url, timing))
        assert reply == Approval(200, CODE, replayed=False, expires_at=None)
        head, _, body = server.received[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /payments HTTP/1.1")
        assert b"idempotency" not in head.lower()
        assert json.loads(body) == {
            "card_number": CARD.number,
            "expiry_date": "12/2030",
            "currency": "EUR",
            "amount": 5000,
            "cvv": CARD.cvv,
        }

    def test_a_no_is_a_decline_without_a_reason(self, timing: Timing) -> None:
        no = answers(200, {"authorized": False, "authorization_code": ""})
        assert told(timing, no) == Decline(Said.DECLINED, 200)

    def test_an_empty_503_is_its_word_that_nothing_was_done(self, timing: Timing) -> None:
        assert told(timing, answers(503, b"")) == NotDone(503, "issuer_not_asked")

    def test_a_400_is_our_fault_and_is_told_without_the_banks_words(self, timing: Timing) -> None:
        with structlog.testing.capture_logs() as logs:
            reply = told(timing, answers(400, {"error_message": f"bad card {CARD.number}"}))
        assert reply == BankError(Said.BANK_ERROR, 400)
        assert logs == [{"event": "acquirer_refused_our_request", "log_level": "error"}]

    @pytest.mark.parametrize(
        "behaviour",
        [
            answers(503, b"<h1>Service Unavailable</h1>"),  # somebody in between
            answers(503, b" " * 70_000),
            answers(500, b""),
            answers(502, {"error_message": "no"}),
            answers(429, b""),
            answers(400, b"Bad Request"),
            answers(400, {"error": "invalid_card"}),
            answers(402, {"authorized": False, "authorization_code": ""}),
            answers(201, APPROVED),
            answers(204, b""),
            answers(302, b"", headers=["Location: /"]),
            answers(200, b""),
            answers(200, b"[]"),
            answers(200, {}),
            answers(200, {"authorized": "true", "authorization_code": CODE}),
            answers(200, {"authorized": 1, "authorization_code": CODE}),
            answers(200, {"authorized": False, "authorization_code": CODE}),
            answers(200, {"authorized": False}),
            answers(200, {"authorized": True, "authorization_code": ""}),
            answers(200, {"authorized": True, "authorization_code": None}),
            answers(200, {"authorized": True, "authorization_code": "a b"}),
            answers(200, {"authorized": True, "authorization_code": CARD.number}),
            answers(200, {"authorized": None, "authorization_code": ""}),
            says(response(503, b"", length=10)),
            says(response(200, b"{", length=90)),
            says(b"HTTP/1.1 503\r\nTransfer-Encoding: chunked\r\n\r\n"),
            says(b""),
            lambda connection: (connection.read_request(), connection.reset())[0],
            lambda connection: (connection.read_request(), connection.wait_until_the_test_is_over())[0],
        ],
    )
    def test_whatever_else_it_says_is_silence_beside_which_it_may_work_on(
        self, timing: Timing, behaviour: Behaviour
    ) -> None:
        reply = told(timing, behaviour)
        assert isinstance(reply, Silence), reply
        assert not reply.is_over

    def test_where_nobody_listens_nothing_was_sent(self, timing: Timing) -> None:
        with port_nobody_listens_on() as url:
            assert send(AcquirerBank(url, timing)) == NotSent("connection failed")

    def test_nothing_is_sent_without_the_right_to_send(self, timing: Timing) -> None:
        with RawServer(answers(200, APPROVED)) as server:
            bank = AcquirerBank(server.url, timing)
            reply = bank.send(instruction(), card=CARD, may_send=lambda: False)
            assert isinstance(reply, NotSent)
            assert server.received == []

    @pytest.mark.parametrize("kind", [kind for kind in OperationKind if kind != OperationKind.AUTHORIZE])
    def test_there_is_no_other_call(self, timing: Timing, kind: OperationKind) -> None:
        with RawServer(answers(200, APPROVED)) as server:
            bank = AcquirerBank(server.url, timing)
            assert isinstance(bank.send(instruction(kind), card=None, may_send=lambda: True), NotSent)
            assert isinstance(bank.probe(instruction(), may_send=lambda: True), NotSent)
            assert isinstance(bank.look_up(kind, CODE), Unclear)
            assert server.connections == 0


class TestAtTheSimulatedAcquirer:
    def test_the_last_digit_decides(self, acquirer_process: SimulatedAcquirer, timing: Timing) -> None:
        acquirer_process.reset()
        bank = AcquirerBank(acquirer_process.url, Timing())

        def said(number: str) -> Reply:
            card = type(CARD)(number, 1, 2031, "123")
            return bank.send(instruction(currency="GBP"), card=card, may_send=lambda: True)

        approved = said("4111111111111111")
        assert approved == Approval(200, acquirer_process.decisions()[0].authorization_code, replayed=False)
        assert said("4242424242424242") == Decline(Said.DECLINED, 200)
        assert said("5105105105105100") == NotDone(503, "issuer_not_asked")
        assert [one.authorized for one in acquirer_process.decisions()] == [True, False]
