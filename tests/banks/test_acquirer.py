"""What the adapter makes of the acquirer: its contract's answers, and everything else, which is silence."""

import json
from typing import Any

import structlog

from payments.banks.acquirer import AcquirerBank
from payments.domain.cards import Card
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
from tests.banks.instructions import CARD, CannedLine, instruction
from tests.banks.raw_server import RawServer, answers, port_nobody_listens_on, response, says
from tests.support.simulated_acquirer import SimulatedAcquirer

CODE = "0bb07405-6d44-4b50-a14f-7ae0beff13ad"
APPROVED = {"authorized": True, "authorization_code": CODE}


def send(bank: AcquirerBank, **fields: Any) -> Reply:
    return bank.send(instruction(currency="EUR", **fields), card=CARD, may_send=lambda: True)


def told(status: int, body: Any, *headers: str) -> Reply:
    """What is read from a reply, without a socket."""
    bank = AcquirerBank("http://acquirer", Timing())
    bank._line = CannedLine(status, body, headers)  # type: ignore[assignment]
    return send(bank)


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

    def test_writes_the_month_with_two_digits(self) -> None:
        bank, line = AcquirerBank("http://acquirer", Timing()), CannedLine(200, APPROVED)
        bank._line = line  # type: ignore[assignment]
        bank.send(instruction(), card=Card(CARD.number, 4, 2031, "123"), may_send=lambda: True)
        assert line.body["expiry_date"] == "04/2031"

    def test_a_no_is_a_decline_without_a_reason(self) -> None:
        assert told(200, {"authorized": False, "authorization_code": ""}) == Decline(Said.DECLINED, 200)

    def test_an_empty_503_is_its_word_that_nothing_was_done(self) -> None:
        assert told(503, b"") == NotDone(503, "issuer_not_asked")

    def test_a_400_is_our_fault_and_is_told_without_the_banks_words(self) -> None:
        with structlog.testing.capture_logs() as logs:
            reply = told(400, {"error_message": f"bad card {CARD.number}"})
        assert reply == BankError(Said.BANK_ERROR, 400)
        assert logs == [{"event": "acquirer_rejected_our_request", "log_level": "error"}]

    def test_whatever_else_it_says_is_silence_beside_which_it_may_work_on(self) -> None:
        for status, body in (
            (503, b"<h1>Service Unavailable</h1>"),  # somebody in between
            (503, b" "),
            (500, b""),
            (502, {"error_message": "no"}),
            (429, b""),
            (400, b"Bad Request"),
            (400, {"error": "invalid_card"}),
            (400, {"error_message": 1}),
            (402, {"authorized": False, "authorization_code": ""}),
            (201, APPROVED),
            (204, b""),
            (302, b""),
            (200, b""),
            (200, b"[]"),
            (200, {}),
            (200, {"authorized": "true", "authorization_code": CODE}),
            (200, {"authorized": 1, "authorization_code": CODE}),
            (200, {"authorized": False, "authorization_code": CODE}),
            (200, {"authorized": False}),
            (200, {"authorized": True, "authorization_code": ""}),
            (200, {"authorized": True, "authorization_code": None}),
            (200, {"authorized": True, "authorization_code": "a b"}),
            (200, {"authorized": True, "authorization_code": CARD.number}),
            (200, {"authorized": None, "authorization_code": ""}),
        ):
            reply = told(status, body)
            assert isinstance(reply, Silence), (status, body)
            assert not reply.is_over, (status, body)

    def test_nor_is_a_broken_connection_the_end_of_its_work(self, timing: Timing) -> None:
        for behaviour in (
            answers(503, b" " * 70_000),
            says(response(503, b"", length=10)),
            says(response(200, b"{", length=90)),
            says(b"HTTP/1.1 503\r\nTransfer-Encoding: chunked\r\n\r\n"),
            says(b""),
            lambda connection: (connection.read_request(), connection.reset())[0],
            lambda connection: (connection.read_request(), connection.wait_until_the_test_is_over())[0],
        ):
            with RawServer(behaviour) as server:
                reply = send(AcquirerBank(server.url, timing))
            assert isinstance(reply, Silence), reply
            assert not reply.is_over, reply

    def test_where_nobody_listens_nothing_was_sent(self, timing: Timing) -> None:
        with port_nobody_listens_on() as url:
            assert send(AcquirerBank(url, timing)) == NotSent("connection failed")

    def test_nothing_is_sent_without_the_right_to_send(self, timing: Timing) -> None:
        with RawServer(answers(200, APPROVED)) as server:
            bank = AcquirerBank(server.url, timing)
            reply = bank.send(instruction(), card=CARD, may_send=lambda: False)
            assert isinstance(reply, NotSent)
            assert server.received == []

    def test_there_is_no_other_call(self, timing: Timing) -> None:
        with RawServer(answers(200, APPROVED)) as server:
            bank = AcquirerBank(server.url, timing)
            for kind in OperationKind:
                card = None if kind is OperationKind.AUTHORIZE else CARD
                assert isinstance(bank.send(instruction(kind), card=card, may_send=lambda: True), NotSent)
                assert isinstance(bank.look_up(kind, CODE), Unclear)
            assert isinstance(bank.probe(instruction(), may_send=lambda: True), NotSent)
            assert bank.is_healthy()
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
