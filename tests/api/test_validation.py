# ruff: noqa: RUF001 - other scripts' digits are part of the attack
"""What is refused before any bank is asked: every wrong type, all of it named at once, nothing repeated."""

import json
from typing import Any

import pytest
import time_machine

from payments.models import Operation, Payment
from tests.support.api_client import CARDS, ApiAnswer, ApiClient, order
from tests.support.simulated_bank import SimulatedBank

NUMBER = CARDS["visa"]["number"]
NOT_INTEGERS = [50.0, 1e3, "5000", True, None, [5000], {"cents": 5000}, "", -0.5]
NOT_STRINGS = [5, 5.5, True, None, ["a"], {"a": "b"}]


def problems(answer: ApiAnswer) -> dict[str, str]:
    """The invalid fields and their codes."""
    assert (answer.status, answer.json["code"]) == (400, "validation_error"), answer
    assert answer.json["money_moved"] == "no"
    return {error["field"]: error["code"] for error in answer.json["errors"]}


def card(**changes: Any) -> dict[str, Any]:
    return CARDS["visa"] | changes


class TestAuthorizeBody:
    @pytest.mark.parametrize("amount", [*NOT_INTEGERS, 0, -1, 100_000_000, 10**40, -(10**40)])
    def test_an_amount_is_a_json_integer_in_range(self, mistaken: ApiClient, amount: Any) -> None:
        assert list(problems(mistaken.post("/payments", order(amount=amount)))) == ["amount"]

    @pytest.mark.parametrize("sign", ["", "-"])
    def test_a_number_of_thousands_of_digits_is_told_that_it_is_too_large(
        self, mistaken: ApiClient, sign: str
    ) -> None:
        text = json.dumps(order()).replace('"amount": 5000', f'"amount": {sign}{"9" * 5000}')
        code = "min_value" if sign else "max_value"
        assert problems(mistaken.post("/payments", text.encode())) == {"amount": code}

    @pytest.mark.parametrize("amount", [1, 99_999_999])
    def test_the_smallest_and_the_largest_amount_are_taken(
        self, test_mode: ApiClient, bank: SimulatedBank, amount: int
    ) -> None:
        assert test_mode.post("/payments", order(amount=amount)).status in (201, 402)

    @pytest.mark.parametrize("name", ["order_id", "customer_id"])
    @pytest.mark.parametrize(
        "value",
        [*NOT_STRINGS, "", " ", "a b", "a\tb", "é", "１２", "a\x00", "\ud800", "a" * 65, NUMBER, "\n"],
    )
    def test_an_id_is_1_to_64_visible_ascii_characters(
        self, mistaken: ApiClient, name: str, value: Any
    ) -> None:
        assert list(problems(mistaken.post("/payments", order(**{name: value})))) == [name]

    @pytest.mark.parametrize("value", [".", "..", "../payments", "a/..", "a/./b", "a\\..\\b"])
    def test_an_id_that_clients_would_resolve_is_refused(self, mistaken: ApiClient, value: str) -> None:
        """`/customers/../payments` would list everybody's."""
        answer = mistaken.post("/payments", order(order_id=value, customer_id=value))
        assert problems(answer) == {"order_id": "dots", "customer_id": "dots"}
        assert problems_of_read(mistaken.get("/payments", order_id=value)) == {"order_id": "dots"}

    @pytest.mark.parametrize("value", ["4512345678908", "701-1234567-1234567", "4242424242424242"])
    def test_an_order_whose_number_only_looks_like_a_card_can_be_paid(
        self, live: ApiClient, bank: SimulatedBank, value: str
    ) -> None:
        body = order(order_id=value, customer_id=value, description=value, metadata={value: value})
        receipt = live.post("/payments", body, key=f"k-{value}", **{"X-Request-ID": value})
        assert (receipt.status, receipt.headers["X-Request-ID"]) == (201, value)
        payment = receipt.json
        assert (payment["order_id"], payment["metadata"]) == (value, {value: value})
        assert live.get(f"/orders/{value}").json["payment"] == payment
        assert live.get("/payments", customer_id=value).json["results"] == [payment]
        assert live.post(f"/payments/{payment['id']}/void", key=f"void-{value}").status == 200

    @pytest.mark.parametrize(
        "value", ["a", "a" * 64, "a/b/c", "...", ".a/b..", "?&#%25", "~!@$^*(){}|\\\"'<>"]
    )
    def test_ids_of_all_visible_characters_come_back_as_they_were_sent(
        self, test_mode: ApiClient, value: str
    ) -> None:
        receipt = test_mode.authorized(order_id=value, customer_id=value)
        assert (receipt["order_id"], receipt["customer_id"]) == (value, value)
        assert test_mode.get("/payments", order_id=value).json["results"] == [receipt]

    @pytest.mark.parametrize("currency", [*NOT_STRINGS, "", "CHF", "usd", "US", "USD ", "ＵＳＤ"])
    def test_the_currency_is_one_of_the_banks(self, mistaken: ApiClient, currency: Any) -> None:
        assert list(problems(mistaken.post("/payments", order(currency=currency)))) == ["currency"]

    @pytest.mark.parametrize("value", [None, [], {}, "4111111111111111", 4111111111111111])
    def test_a_card_is_an_object_with_all_its_fields(self, mistaken: ApiClient, value: Any) -> None:
        named = set(problems(mistaken.post("/payments", order(card=value))))
        fields = {"card.number", "card.cvv", "card.expiry_month", "card.expiry_year"}
        assert named == (fields if value == {} else {"card"})

    @pytest.mark.parametrize(
        ("number", "code"),
        [
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
        ],
    )
    def test_a_card_number_is_13_to_19_ascii_digits_with_their_check_digit(
        self, mistaken: ApiClient, number: Any, code: str
    ) -> None:
        answer = mistaken.post("/payments", order(card=card(number=number)))
        assert problems(answer)["card.number"] in (code, "digits")
        assert "1111" not in answer.body.decode()

    @pytest.mark.parametrize("cvv", [*NOT_STRINGS, "", "12", "12345", "12a", "１２３", "123 ", "-12"])
    def test_a_cvv_is_3_or_4_ascii_digits(self, mistaken: ApiClient, cvv: Any) -> None:
        assert list(problems(mistaken.post("/payments", order(card=card(cvv=cvv))))) == ["card.cvv"]

    @pytest.mark.parametrize("month", [*NOT_INTEGERS, 0, 13, -1, 10**30])
    def test_a_month_is_1_to_12(self, mistaken: ApiClient, month: Any) -> None:
        answer = mistaken.post("/payments", order(card=card(expiry_month=month)))
        assert list(problems(answer)) == ["card.expiry_month"]

    @pytest.mark.parametrize("year", [*NOT_INTEGERS, 30, 1999, 2100, 10**30])
    def test_a_year_has_four_digits(self, mistaken: ApiClient, year: Any) -> None:
        assert list(problems(mistaken.post("/payments", order(card=card(expiry_year=year))))) == [
            "card.expiry_year"
        ]

    def test_a_card_is_good_until_the_last_moment_of_its_month(
        self, live: ApiClient, bank: SimulatedBank
    ) -> None:
        last = card(expiry_year=2029, expiry_month=2)
        with time_machine.travel("2029-03-01T11:59:59Z", tick=False):  # somewhere it is still February
            assert live.post("/payments", order(card=last)).status == 201
        with time_machine.travel("2029-03-01T12:00:00Z", tick=False):
            assert problems(live.post("/payments", order(card=last))) == {"card.expiry_year": "in_the_past"}

    @pytest.mark.parametrize("name", ["description", "customer_email"])
    @pytest.mark.parametrize("value", [5, True, ["a"], {}, "a\x00b", "a\x1bb", "\udfff", "x" * 501, NUMBER])
    def test_texts_are_printable_and_hold_no_card_number(
        self, mistaken: ApiClient, name: str, value: Any
    ) -> None:
        assert list(problems(mistaken.post("/payments", order(**{name: value})))) == [name]

    @pytest.mark.parametrize(
        "email", ["", "nobody", "a@", "@b.example", "a b@c.example", f"{NUMBER}@c.example", "a@b"]
    )
    def test_an_email_address_is_one(self, mistaken: ApiClient, email: str) -> None:
        assert list(problems(mistaken.post("/payments", order(customer_email=email)))) == ["customer_email"]

    def test_optional_fields_may_be_null(self, live: ApiClient, bank: SimulatedBank) -> None:
        receipt = live.authorized(description=None, customer_email=None, metadata=None)
        assert (receipt["description"], receipt["customer_email"], receipt["metadata"]) == (None, None, {})

    def test_texts_come_back_as_they_were_sent(self, live: ApiClient, bank: SimulatedBank) -> None:
        text, email = " Zwei Becher ☕\n\t\u2028<b>'\";-- ", "o'brien+shop@example.co.uk"
        receipt = live.authorized(description=text, customer_email=email, metadata={"ключ": text})
        assert (receipt["description"], receipt["customer_email"]) == (text, email)
        assert live.receipt(receipt["id"])["metadata"] == {"ключ": text}


class TestMetadata:
    @pytest.mark.parametrize("metadata", [[], "a", 5, True, [["a", "b"]]])
    def test_it_is_an_object(self, mistaken: ApiClient, metadata: Any) -> None:
        assert problems(mistaken.post("/payments", order(metadata=metadata))) == {"metadata": "invalid"}

    def test_it_has_at_most_20_keys(self, live: ApiClient, bank: SimulatedBank) -> None:
        live.authorized(metadata={f"k{number}": "v" for number in range(20)})
        answer = live.post("/payments", order(metadata={f"k{number}": "v" for number in range(21)}))
        assert problems(answer) == {"metadata": "too_many"}

    def test_every_wrong_value_is_named_by_its_key(self, mistaken: ApiClient) -> None:
        values = {"a": 1, "b": None, "c": {"d": "e"}, "f": "x" * 501, "g": "a\x07", "h": NUMBER, "good": "1"}
        named = problems(mistaken.post("/payments", order(metadata=values)))
        assert sorted(named) == [f"metadata.{name}" for name in "abcfgh"]

    def test_a_wrong_key_is_named_without_its_card_number(self, mistaken: ApiClient) -> None:
        answer = mistaken.post(
            "/payments", order(metadata={NUMBER: "a", "": "b", "k" * 65: "c", "\ud800": "d"})
        )
        named = problems(answer)
        assert {"metadata", f"metadata.{'k' * 64}", "metadata.?"} <= set(named)
        assert NUMBER not in answer.body.decode()

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
        assert problems(mistaken.post("/payments", body)) == {
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

    def test_an_unknown_field_is_named_without_the_card_number_in_its_name(self, mistaken: ApiClient) -> None:
        answer = mistaken.post("/payments", order(**{NUMBER: 1, "\ud800": 1, "card_number": NUMBER}))
        assert set(problems(answer)) == {"************1111", "?", "card_number"}
        assert NUMBER not in answer.body.decode()

    def test_nothing_is_recorded_and_no_bank_is_asked(self, live: ApiClient, bank: SimulatedBank) -> None:
        live.post("/payments", order(amount="1"))
        assert not Payment.objects.exists()
        assert not Operation.objects.exists()
        assert bank.requests() == []


class TestOperationBody:
    @pytest.mark.parametrize("verb", ["capture", "void", "refund"])
    @pytest.mark.parametrize("amount", [*NOT_INTEGERS, 0, -1, 10**30])
    def test_an_amount_is_a_json_integer_in_range(self, mistaken: ApiClient, verb: str, amount: Any) -> None:
        answer = mistaken.post(f"/payments/pay_{'0' * 32}/{verb}", {"amount": amount})
        assert list(problems(answer)) == ["amount"]

    @pytest.mark.parametrize("reason", [5, ["a"], {}, "a\x00", "r" * 501, NUMBER, "4111 1111 1111 1111"])
    def test_a_reason_is_printable_text_without_a_card_number(self, mistaken: ApiClient, reason: Any) -> None:
        answer = mistaken.post(f"/payments/pay_{'0' * 32}/capture", {"reason": reason, "amonut": 1})
        assert problems(answer).keys() == {"reason", "amonut"}
        assert NUMBER not in answer.body.decode()

    @pytest.mark.parametrize("body", [b"", b"{}", b'{"reason":null}', b'{"reason":""}'])
    def test_it_may_be_empty(self, live: ApiClient, bank: SimulatedBank, body: bytes) -> None:
        payment = live.authorized()
        assert live.post(f"/payments/{payment['id']}/capture", body).status == 200

    def test_another_amount_is_refused_and_moves_nothing(self, live: ApiClient, bank: SimulatedBank) -> None:
        payment = live.authorized()
        answer = live.post(f"/payments/{payment['id']}/capture", {"amount": 4999})
        assert (answer.status, answer.json["code"]) == (422, "amount_mismatch")
        assert live.receipt(payment["id"])["state"] == "AUTHORIZED"


class TestUnreadableBody:
    @pytest.mark.parametrize(
        "body",
        [
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
        ],
        ids=range(16),
    )
    def test_it_is_a_400(self, mistaken: ApiClient, body: bytes) -> None:
        answer = mistaken.post("/payments", body)
        assert (answer.status, answer.json["code"]) == (400, "validation_error")
        assert answer.json["money_moved"] == "no"
        assert "errors" not in answer.json  # it was not read as far as its fields

    @pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'"text"', b"true", b"1e999", b"[{}]"])
    def test_json_that_is_no_object_is_a_400_of_the_whole_body(
        self, mistaken: ApiClient, body: bytes
    ) -> None:
        assert list(problems(mistaken.post("/payments", body))) == [""]

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

    @pytest.mark.parametrize(
        "content_type",
        [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "application/json; charset=utf-16",
            "application/*",
            "*/*",
            ";;=,",
            "json",
        ],
    )
    def test_anything_but_json_in_utf_8_is_a_415(self, mistaken: ApiClient, content_type: str) -> None:
        answer = mistaken.call(
            "POST", "/payments", body=order(), headers={"Idempotency-Key": "k"}, content_type=content_type
        )
        assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")

    @pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "x"])
    def test_a_compressed_one_is_a_415(self, mistaken: ApiClient, encoding: str) -> None:
        answer = mistaken.post("/payments", order(), **{"Content-Encoding": encoding})
        assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")
        assert "compressed" in answer.json["detail"]

    def test_a_body_without_a_content_type_is_a_415(self, mistaken: ApiClient) -> None:
        answer = mistaken.call(
            "POST", "/payments", body=order(), headers={"Idempotency-Key": "k"}, content_type=" "
        )
        assert answer.status == 415

    @pytest.mark.parametrize(
        "content_type", ["application/json; charset=UTF-8", "application/JSON", "application/json;foo=bar"]
    )
    def test_json_by_another_spelling_is_json(
        self, live: ApiClient, bank: SimulatedBank, content_type: str
    ) -> None:
        answer = live.call(
            "POST", "/payments", body=order(), headers={"Idempotency-Key": "k"}, content_type=content_type
        )
        assert answer.status == 201


class TestAddresses:
    @pytest.mark.parametrize(
        "payment_id",
        [
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
        ],
    )
    def test_a_payment_id_that_is_none_is_a_404(self, mistaken: ApiClient, payment_id: str) -> None:
        assert mistaken.get(f"/payments/{payment_id}").status == 404
        assert mistaken.get(f"/payments/{payment_id}/events").status == 404
        answer = mistaken.post(f"/payments/{payment_id}/capture")
        assert (answer.status, answer.json["code"]) == (404, "not_found")
        assert NUMBER not in answer.body.decode()

    @pytest.mark.parametrize(
        "order_id", ["%00", "%0A", "a%0Ab", "%1F", "a%20b", "%C3%A9", "a" * 65, "4111-1111%201111.1111"]
    )
    def test_an_id_in_an_address_that_no_order_can_have_is_a_400(
        self, mistaken: ApiClient, order_id: str
    ) -> None:
        assert list(problems_of_read(mistaken.get(f"/orders/{order_id}"))) == ["order_id"]
        assert list(problems_of_read(mistaken.get(f"/customers/{order_id}/payments"))) == ["customer_id"]

    @pytest.mark.parametrize(
        "path",
        ["", "/", "/payments/", "/nothing", "/orders", "/orders/", "/customers//payments", "/%0A", "//"],
    )
    def test_an_unknown_address_is_a_404_problem(self, mistaken: ApiClient, path: str) -> None:
        answer = mistaken.call("GET", path)
        assert (answer.status, answer.json["code"]) == (404, "not_found")

    @pytest.mark.parametrize("path", ["/payments", f"/payments/pay_{'0' * 32}/capture"])
    def test_a_post_takes_no_query(self, mistaken: ApiClient, path: str) -> None:
        answer = mistaken.call("POST", path, body={}, query={"amount": "1"}, headers={"Idempotency-Key": "k"})
        assert problems(answer) == {"amount": "unknown_field"}

    @pytest.mark.parametrize(
        "path", [f"/payments/pay_{'0' * 32}", f"/payments/pay_{'0' * 32}/events", "/orders/o"]
    )
    def test_a_read_refuses_a_query_that_it_does_not_know(self, mistaken: ApiClient, path: str) -> None:
        assert problems_of_read(mistaken.get(path, expand="bank")) == {"expand": "unknown_field"}
        assert problems_of_read(mistaken.get(path, format="xml")) == {"format": "unknown_field"}


def problems_of_read(answer: ApiAnswer) -> dict[str, str]:
    assert (answer.status, answer.json["code"]) == (400, "validation_error"), answer
    assert NUMBER not in answer.body.decode()
    return {error["field"]: error["code"] for error in answer.json["errors"]}
