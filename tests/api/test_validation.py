# ruff: noqa: RUF001 - other scripts' digits are part of the attack
"""What is refused before any bank is asked: every wrong type, all of it named at once, nothing repeated.

Most cases are judged by functions (`tests.api.judged`); what HTTP adds is sent over HTTP.
"""

import json
from typing import Any

import time_machine

from payments.api.serializers import AuthorizeSerializer
from payments.models import Operation, Payment
from tests.api.judged import (
    NUMBER,
    problems,
    problems_of_authorize,
    problems_of_operation,
    problems_of_read,
    refusal,
)
from tests.support.api_client import CARDS, ApiClient, order
from tests.support.simulated_bank import SimulatedBank

NOT_INTEGERS = [50.0, 1e3, "5000", True, None, [5000], {"cents": 5000}, "", -0.5]
NOT_STRINGS = [5, 5.5, True, None, ["a"], {"a": "b"}]


def card(**changes: Any) -> dict[str, Any]:
    return CARDS["visa"] | changes


def fields(**changes: Any) -> list[str]:
    """What is invalid in an order with these fields."""
    return list(problems_of_authorize(order(**changes)))


class TestAuthorizeBody:
    def test_an_order_without_a_mistake_is_taken(self) -> None:
        assert problems_of_authorize(order()) == {}

    def test_an_amount_is_a_json_integer_in_range(self) -> None:
        for amount in (*NOT_INTEGERS, 0, -1, 100_000_000, 10**40, -(10**40)):
            assert fields(amount=amount) == ["amount"], amount
        for amount in (1, 99_999_999):
            assert fields(amount=amount) == [], amount

    def test_a_number_of_thousands_of_digits_is_told_that_it_is_too_large(self, mistaken: ApiClient) -> None:
        for sign, code in (("", "max_value"), ("-", "min_value")):
            text = json.dumps(order()).replace('"amount": 5000', f'"amount": {sign}{"9" * 5000}')
            assert problems(mistaken.post("/payments", text.encode())) == {"amount": code}

    def test_the_smallest_and_the_largest_amount_are_taken(
        self, test_mode: ApiClient, bank: SimulatedBank
    ) -> None:
        for amount in (1, 99_999_999):
            assert test_mode.post("/payments", order(amount=amount)).status in (201, 402), amount

    def test_an_id_is_1_to_64_visible_ascii_characters(self) -> None:
        strange = ["", " ", "a b", "a\tb", "é", "１２", "a\x00", "\ud800", "a" * 65, NUMBER, "\n"]
        for value in (*NOT_STRINGS, *strange):
            for name in ("order_id", "customer_id"):
                assert fields(**{name: value}) == [name], value

    def test_an_id_that_clients_would_resolve_is_refused(self, mistaken: ApiClient) -> None:
        """`/customers/../payments` would list everybody's."""
        for value in (".", "..", "../payments", "a/..", "a/./b", "a\\..\\b"):
            found = problems_of_authorize(order(order_id=value, customer_id=value))
            assert found == {"order_id": "dots", "customer_id": "dots"}, value
            assert problems_of_read(mistaken.get("/payments", order_id=value)) == {"order_id": "dots"}, value

    def test_an_order_whose_number_only_looks_like_a_card_can_be_paid(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        for value in ("4512345678908", "701-1234567-1234567", "4242424242424242"):
            body = order(order_id=value, customer_id=value, description=value, metadata={value: value})
            receipt = live.post("/payments", body, key=f"k-{value}", **{"X-Request-ID": value})
            assert (receipt.status, receipt.headers["X-Request-ID"]) == (201, value)
            payment = receipt.json
            assert (payment["order_id"], payment["metadata"]) == (value, {value: value})
            assert live.get(f"/orders/{value}").json["payment"] == payment
            assert live.get("/payments", customer_id=value).json["results"] == [payment]
            assert live.post(f"/payments/{payment['id']}/void", key=f"void-{value}").status == 200

    def test_ids_of_all_visible_characters_come_back_as_they_were_sent(self, test_mode: ApiClient) -> None:
        for value in ("a", "a" * 64, "a/b/c", "...", ".a/b..", "?&#%25", "~!@$^*(){}|\\\"'<>"):
            receipt = test_mode.authorized(order_id=value, customer_id=value)
            assert (receipt["order_id"], receipt["customer_id"]) == (value, value)
            assert test_mode.get("/payments", order_id=value).json["results"] == [receipt]

    def test_the_currency_is_one_of_the_banks(self) -> None:
        for currency in (*NOT_STRINGS, "", "CHF", "usd", "US", "USD ", "ＵＳＤ"):
            assert fields(currency=currency) == ["currency"], currency

    def test_a_card_is_an_object_with_all_its_fields(self) -> None:
        for value in (None, [], NUMBER, int(NUMBER)):
            assert fields(card=value) == ["card"], value
        assert set(fields(card={})) == {"card.number", "card.cvv", "card.expiry_month", "card.expiry_year"}

    def test_a_card_number_is_13_to_19_ascii_digits_with_their_check_digit(self) -> None:
        for number, code in (
            ("4111111111111112", "luhn"),
            ("411111111111", "digits"),
            ("41111111111111111111", "digits"),
            ("4111 1111 1111 1111", "digits"),
            ("4111-1111-1111-1111", "digits"),
            (" 4111111111111111", "digits"),
            ("4111111111111111\n", "digits"),
            ("٤١١١١١١١١١١١١١١١", "digits"),
            ("４１１１１１１１１１１１１１１１", "digits"),
            ("", "blank"),
            ("4111\x001111", "null_characters_not_allowed"),
            (None, "null"),
            (4111111111111111, "invalid"),
            (["4111111111111111"], "invalid"),
        ):
            refused = refusal(AuthorizeSerializer, json.dumps(order(card=card(number=number))).encode())
            assert refused is not None, number
            codes = {error["field"]: error["code"] for error in refused["errors"]}
            assert codes["card.number"] in (code, "digits"), number
            assert "1111" not in json.dumps(refused, ensure_ascii=False), number

    def test_a_cvv_is_3_or_4_ascii_digits(self) -> None:
        for cvv in (*NOT_STRINGS, "", "12", "12345", "12a", "１２３", "123 ", "-12"):
            assert fields(card=card(cvv=cvv)) == ["card.cvv"], cvv

    def test_a_month_is_1_to_12(self) -> None:
        for month in (*NOT_INTEGERS, 0, 13, -1, 10**30):
            assert fields(card=card(expiry_month=month)) == ["card.expiry_month"], month

    def test_a_year_has_four_digits(self) -> None:
        for year in (*NOT_INTEGERS, 30, 1999, 2100, 10**30):
            assert fields(card=card(expiry_year=year)) == ["card.expiry_year"], year

    def test_a_card_is_good_until_the_last_moment_of_its_month(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        last = card(expiry_year=2029, expiry_month=2)
        with time_machine.travel("2029-03-01T11:59:59Z", tick=False):  # somewhere it is still February
            assert live.post("/payments", order(card=last)).status == 201
        with time_machine.travel("2029-03-01T12:00:00Z", tick=False):
            assert problems(live.post("/payments", order(card=last))) == {"card.expiry_year": "in_the_past"}

    def test_texts_are_printable_and_hold_no_card_number(self) -> None:
        for value in (5, True, ["a"], {}, "a\x00b", "a\x1bb", "\udfff", "x" * 501, NUMBER):
            for name in ("description", "customer_email"):
                assert fields(**{name: value}) == [name], value

    def test_an_email_address_is_one(self) -> None:
        for email in ("", "nobody", "a@", "@b.example", "a b@c.example", f"{NUMBER}@c.example", "a@b"):
            assert fields(customer_email=email) == ["customer_email"], email

    def test_optional_fields_may_be_null(self, live: ApiClient, bank: SimulatedBank) -> None:
        receipt = live.authorized(description=None, customer_email=None, metadata=None)
        assert (receipt["description"], receipt["customer_email"], receipt["metadata"]) == (None, None, {})

    def test_texts_come_back_as_they_were_sent(self, live: ApiClient, bank: SimulatedBank) -> None:
        text, email = " Zwei Becher ☕\n\t\u2028<b>'\";-- ", "o'brien+shop@example.co.uk"
        receipt = live.authorized(description=text, customer_email=email, metadata={"ключ": text})
        assert (receipt["description"], receipt["customer_email"]) == (text, email)
        assert live.receipt(receipt["id"])["metadata"] == {"ключ": text}


class TestMetadata:
    def test_it_is_an_object(self) -> None:
        for metadata in ([], "a", 5, True, [["a", "b"]]):
            assert problems_of_authorize(order(metadata=metadata)) == {"metadata": "invalid"}, metadata

    def test_it_has_at_most_20_keys(self, live: ApiClient, bank: SimulatedBank) -> None:
        live.authorized(metadata={f"k{number}": "v" for number in range(20)})
        answer = live.post("/payments", order(metadata={f"k{number}": "v" for number in range(21)}))
        assert problems(answer) == {"metadata": "too_many"}

    def test_every_wrong_value_is_named_by_its_key(self) -> None:
        values = {"a": 1, "b": None, "c": {"d": "e"}, "f": "x" * 501, "g": "a\x07", "h": NUMBER, "good": "1"}
        assert sorted(fields(metadata=values)) == [f"metadata.{name}" for name in "abcfgh"]

    def test_a_wrong_key_is_named_without_its_card_number(self, mistaken: ApiClient) -> None:
        answer = mistaken.post(
            "/payments", order(metadata={NUMBER: "a", "": "b", "k" * 65: "c", "\ud800": "d"})
        )
        named = problems(answer)
        assert {"metadata", f"metadata.{'k' * 64}", "metadata.?"} <= set(named)

    def test_the_longest_keys_and_values_are_taken(self, live: ApiClient, bank: SimulatedBank) -> None:
        metadata = {"k" * 64: "v" * 500, "e": ""}
        assert live.authorized(metadata=metadata)["metadata"] == metadata


class TestAllAtOnce:
    def test_every_invalid_and_unknown_and_missing_field_is_named(self, mistaken: ApiClient) -> None:
        body = {
            "order_id": "",
            "amount": "5000",
            "currency": "CHF",
            "card": {
                "number": "4111111111111112",
                "expiry_month": 1,
                "expiry_year": 2020,
                "pin": "1",
                "cvv": "x",
            },
            "metadata": {"a": 1},
            "captured": True,
            "non_field_errors": 1,
        }
        codes = {
            "order_id": "blank",
            "customer_id": "required",
            "amount": "invalid",
            "currency": "unsupported_currency",
            "card.number": "luhn",
            "card.expiry_year": "in_the_past",
            "card.cvv": "digits",
            "card.pin": "unknown_field",
            "metadata.a": "invalid",
            "captured": "unknown_field",
            "non_field_errors": "unknown_field",
        }
        assert problems(mistaken.post("/payments", body)) == codes
        assert problems_of_authorize(body) == codes

    def test_an_unknown_field_is_named_without_the_card_number_in_its_name(self, mistaken: ApiClient) -> None:
        answer = mistaken.post("/payments", order(**{NUMBER: 1, "\ud800": 1, "card_number": NUMBER}))
        assert set(problems(answer)) == {"************1111", "?", "card_number"}

    def test_nothing_is_recorded_and_no_bank_is_asked(self, live: ApiClient, bank: SimulatedBank) -> None:
        live.post("/payments", order(amount="1"))
        assert not Payment.objects.exists()
        assert not Operation.objects.exists()
        assert bank.requests() == []


class TestOperationBody:
    def test_an_amount_is_a_json_integer_in_range(self) -> None:
        for amount in (*NOT_INTEGERS, 0, -1, 10**30):
            assert list(problems_of_operation({"amount": amount})) == ["amount"], amount

    def test_a_reason_is_printable_text_without_a_card_number(self) -> None:
        for reason in (5, ["a"], {}, "a\x00", "r" * 501, NUMBER, "4111 1111 1111 1111"):
            found = problems_of_operation({"reason": reason, "amonut": 1})
            assert found.keys() == {"reason", "amonut"}, reason

    def test_every_operation_judges_its_body(self, mistaken: ApiClient) -> None:
        for verb in ("capture", "void", "refund"):
            body = {"amount": "5000", "reason": NUMBER, "amonut": 1}
            answer = mistaken.post(f"/payments/pay_{'0' * 32}/{verb}", body)
            assert problems(answer) == problems_of_operation(body), verb

    def test_it_may_be_empty(self, live: ApiClient, bank: SimulatedBank) -> None:
        for body in (b"", b"{}", b'{"reason":null}', b'{"reason":""}'):
            payment = live.authorized()
            assert live.post(f"/payments/{payment['id']}/capture", body).status == 200, body

    def test_another_amount_is_refused_and_moves_nothing(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = live.authorized()
        answer = live.post(f"/payments/{payment['id']}/capture", {"amount": 4999})
        assert (answer.status, answer.json["code"]) == (422, "amount_mismatch")
        assert live.receipt(payment["id"])["state"] == "AUTHORIZED"


class TestUnreadableBody:
    def test_it_is_a_400(self, mistaken: ApiClient) -> None:
        for body in (
            b"{",
            b"nothing",
            b"\xff\xfe",
            b"\xef\xbb\xbf{}",
            '{"order_id":"a"}'.encode("utf-16"),
            '{"order_id":"é"}'.encode("latin-1"),
            b'{"amount":1,"amount":2}',
            b'{"card":{"cvv":"1","cvv":"2"}}',
            b'{"amount":NaN}',
            b'{"amount":-Infinity}',
            b"{}{}",
            b"{'amount':1}",
            b'{"amount":1,}',
            b"[" * 60_000,
            b'{"a":' * 10_000,
            b'"\x01"',
        ):
            answer = mistaken.post("/payments", body)
            assert (answer.status, answer.json["code"]) == (400, "validation_error"), body[:40]
            assert answer.json["money_moved"] == "no"
            assert "errors" not in answer.json  # it was not read as far as its fields

    def test_json_that_is_no_object_is_a_400_of_the_whole_body(self, mistaken: ApiClient) -> None:
        for body in (b"[]", b"null", b"5", b'"text"', b"true", b"1e999", b"[{}]"):
            assert list(problems(mistaken.post("/payments", body))) == [""], body

    def test_the_card_in_an_unreadable_body_is_not_repeated(self, mistaken: ApiClient) -> None:
        broken = json.dumps(order()).encode()[:-1]
        assert NUMBER.encode() not in mistaken.post("/payments", broken).body

    def test_deep_nesting_is_refused(self, mistaken: ApiClient) -> None:
        answer = mistaken.post("/payments", b'{"metadata":' + b'{"a":' * 300 + b"1" + b"}" * 301)
        assert "metadata.a" in problems(answer)


class TestSizeAndType:
    def test_a_body_of_64_kib_is_read(self, mistaken: ApiClient) -> None:
        body = b'{"description":"%s"}' % (b"d" * (65_536 - 18))
        assert problems(mistaken.post("/payments", body))["description"] == "max_length"

    def test_one_byte_more_is_a_413(self, mistaken: ApiClient) -> None:
        answer = mistaken.post("/payments", b'{"description":"%s"}' % (b"d" * (65_536 - 17)))
        assert (answer.status, answer.json["code"]) == (413, "payload_too_large")
        assert answer.json["money_moved"] == "no"

    def test_anything_but_json_in_utf_8_is_a_415(self, mistaken: ApiClient) -> None:
        for content_type in (
            " ",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "application/json; charset=utf-16",
            "application/*",
            "*/*",
            ";;=,",
            "json",
        ):
            answer = mistaken.call(
                "POST", "/payments", body=order(), headers={"Idempotency-Key": "k"}, content_type=content_type
            )
            assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type"), content_type

    def test_a_compressed_one_is_a_415(self, mistaken: ApiClient) -> None:
        for encoding in ("gzip", "br", "identity, gzip", "x"):
            answer = mistaken.post("/payments", order(), **{"Content-Encoding": encoding})
            assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type"), encoding
            assert "compressed" in answer.json["detail"]

    def test_json_by_another_spelling_is_json(self, live: ApiClient, bank: SimulatedBank) -> None:
        spellings = ("application/json; charset=UTF-8", "application/JSON", "application/json;foo=bar")
        for number, content_type in enumerate(spellings):
            headers = {"Idempotency-Key": f"k-{number}"}
            answer = live.call("POST", "/payments", body=order(), headers=headers, content_type=content_type)
            assert answer.status == 201, content_type


class TestAddresses:
    def test_a_payment_id_that_is_none_is_a_404(self, mistaken: ApiClient) -> None:
        for payment_id in (
            "x",
            "pay_",
            f"pay_{'0' * 31}",
            f"pay_{'0' * 33}",
            f"pay_{'0' * 32}",
            f"pay_{'A' * 32}",
            f"op_{'0' * 32}",
            "0" * 32,
            "%00",
            "%0A",
            "%2e%2e",
            "%F0%9F%98%80",
            "%ff",
            f"pay_{'%D9%A0' * 32}",
            NUMBER,
        ):
            assert mistaken.get(f"/payments/{payment_id}").status == 404, payment_id
            assert mistaken.get(f"/payments/{payment_id}/events").status == 404, payment_id
            answer = mistaken.post(f"/payments/{payment_id}/capture")
            assert (answer.status, answer.json["code"]) == (404, "not_found"), payment_id
            assert NUMBER not in answer.body.decode()

    def test_an_id_in_an_address_that_no_order_can_have_is_a_400(self, mistaken: ApiClient) -> None:
        for id_ in ("%00", "%0A", "a%0Ab", "%1F", "a%20b", "%C3%A9", "a" * 65, "4111-1111%201111.1111"):
            assert list(problems_of_read(mistaken.get(f"/orders/{id_}"))) == ["order_id"], id_
            answer = mistaken.get(f"/customers/{id_}/payments")
            assert list(problems_of_read(answer)) == ["customer_id"], id_

    def test_an_unknown_address_is_a_404_problem(self, mistaken: ApiClient) -> None:
        for path in (
            *("", "/", "/payments/", "/nothing", "/orders", "/orders/", "/customers//payments"),
            *("/%0A", "//"),
        ):
            answer = mistaken.call("GET", path)
            assert (answer.status, answer.json["code"]) == (404, "not_found"), path

    def test_a_post_takes_no_query(self, mistaken: ApiClient) -> None:
        for path in ("/payments", f"/payments/pay_{'0' * 32}/capture"):
            headers = {"Idempotency-Key": "k"}
            answer = mistaken.call("POST", path, body={}, query={"amount": "1"}, headers=headers)
            assert problems(answer) == {"amount": "unknown_field"}, path

    def test_a_read_refuses_a_query_that_it_does_not_know(self, mistaken: ApiClient) -> None:
        for path in (f"/payments/pay_{'0' * 32}", f"/payments/pay_{'0' * 32}/events", "/orders/o"):
            assert problems_of_read(mistaken.get(path, expand="bank")) == {"expand": "unknown_field"}, path
            assert problems_of_read(mistaken.get(path, format="xml")) == {"format": "unknown_field"}, path
