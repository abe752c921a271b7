"""One box for whatever scrap the caller has."""

import pytest
from django.urls import reverse

from office.payments.typed import Typed
from payments.domain.cards import passes_luhn
from payments.domain.states import OperationKind
from payments.models import IdempotencyKey, Operation, Payment
from tests.office.pages.conftest import Staff, text_of
from tests.support.factories import AttemptFactory, OperationFactory, PaymentFactory
from tests.support.unguarded import unguarded

REFERENCES = {
    "bank_authorization_id": "auth_0d5c1a7e-4a2f-4a53-9a55-3c3f0f2f5f11",
    "bank_capture_id": "cap_1d5c1a7e-4a2f-4a53-9a55-3c3f0f2f5f12",
    "bank_refund_id": "ref_2d5c1a7e-4a2f-4a53-9a55-3c3f0f2f5f13",
    "bank_void_id": "void_3d5c1a7e-4a2f-4a53-9a55-3c3f0f2f5f14",
}
# Looks like a card: sixteen digits, Visa's first, Luhn-valid. Nobody's.
CARD_NUMBER = "4539578763621486"


@pytest.fixture
def payment(db: None) -> Payment:
    """The payment to be found, among others."""
    PaymentFactory(order_id="another", customer_id="nobody", card_last4="0000")
    return PaymentFactory(
        refunded=True,
        order_id="order-1",
        customer_id="kim",
        card_last4="4242",
        **{name: REFERENCES[name] for name in REFERENCES if name != "bank_void_id"},
    )


@pytest.mark.usefixtures("payment")
class TestPaymentSearch:
    def test_finds_by_payment_id(self, superuser: Staff, payment: Payment) -> None:
        assert superuser.found(q=payment.public_id) == ["order-1"]
        assert superuser.found(q=str(payment.pk)) == ["order-1"]
        assert superuser.found(q=f"  {payment.public_id} ") == ["order-1"]

    def test_finds_by_order(self, superuser: Staff) -> None:
        assert superuser.found(q="order-1") == ["order-1"]

    def test_finds_by_customer(self, superuser: Staff) -> None:
        assert superuser.found(q="kim") == ["order-1"]

    def test_finds_by_last_four(self, superuser: Staff) -> None:
        assert superuser.found(q="4242") == ["order-1"]

    def test_finds_an_order_whose_id_is_four_digits(self, superuser: Staff) -> None:
        PaymentFactory(order_id="4242", card_last4="9999")
        assert superuser.found(q="4242") == ["4242", "order-1"]

    @pytest.mark.parametrize("name", ["bank_authorization_id", "bank_capture_id", "bank_refund_id"])
    def test_finds_by_bank_reference_with_and_without_its_prefix(self, superuser: Staff, name: str) -> None:
        reference = REFERENCES[name]
        assert superuser.found(q=reference) == ["order-1"]
        assert superuser.found(q=reference.partition("_")[2]) == ["order-1"]

    def test_finds_by_the_reference_of_a_void(self, superuser: Staff) -> None:
        PaymentFactory(voided=True, order_id="voided", bank_void_id=REFERENCES["bank_void_id"])
        assert superuser.found(q=REFERENCES["bank_void_id"]) == ["voided"]
        assert superuser.found(q=REFERENCES["bank_void_id"].removeprefix("void_")) == ["voided"]

    @pytest.mark.parametrize("typed", ["$81.50", "81.50", "$ 81.50", "8150"])
    def test_finds_by_amount(self, superuser: Staff, typed: str) -> None:
        PaymentFactory(order_id="costly", amount_minor=8150, card_last4="9999")
        assert superuser.found(q=typed) == ["costly"]

    def test_takes_four_digits_for_the_last_four_and_for_cents(self, superuser: Staff) -> None:
        PaymentFactory(order_id="costs $42.42", amount_minor=4242, card_last4="9999")
        assert superuser.found(q="4242") == ["costs $42.42", "order-1"]
        shown = superuser.payments(q="4242")
        read = "the last four digits 4242 or as the amount 42.42 or 4,242 in any currency (digits alone)"
        assert f"4242 as {read}" in shown
        assert "Search instead: only 4,242.00 · only the card •••• 4242 · only 42.42" in shown
        assert superuser.found(q="•••• 4242") == ["order-1"]
        assert superuser.found(q="$42.42") == ["costs $42.42"]

    @pytest.mark.parametrize(
        ("typed", "cents"),
        [
            ("$5000", 500_000),
            ("5000", 5000),
            ("$1,234.56", 123_456),
            ("1,234.56", 123_456),
            ("$999,999.99", 99_999_999),
            ("$0.00", None),
            ("999999999", None),
            ("$1000000", None),
            ("50", 5000),
            ("999", 99_900),
            ("50.0", 5000),
            ("50.5", 5050),
            ("50,00", 5000),
            ("1.234,56", 123_456),
            ("1 234,50", 123_450),
            ("1,234", 123_400),
            ("USD 50", 5000),
            ("usd50", 5000),
            ("50 USD", 5000),
            ("50.00$", 5000),
            ("“$50.00”.", 5000),
            ("1.2.3", None),
            ("50 000 00", None),
            ("1,23.00", None),
            ("-5.00", None),
            ("\u0665\u0660\u0660\u0660", None),
        ],
    )
    def test_reads_dollars_with_a_sign_or_a_point_and_cents_without(
        self, typed: str, cents: int | None
    ) -> None:
        amount = Typed(typed).money.amount
        assert (amount.minor["USD"] if amount else None) == cents

    @pytest.mark.parametrize("part", ["order", "rder-1", "ki", "42", "auth_", "%", "_"])
    def test_compares_ids_whole(self, superuser: Staff, part: str) -> None:
        assert superuser.found(q=part) == []

    def test_says_what_to_do_where_nothing_matches(self, superuser: Staff) -> None:
        shown = superuser.payments(q="lost")
        assert "No payments match" in shown
        assert "Search by a complete id" in shown
        assert "Clear search and filters" in shown

    def test_does_not_deny_an_id_that_the_filters_leave_out(self, superuser: Staff) -> None:
        """`No id is order-1`, it said of an order that is there, in another state."""
        shown = superuser.payments(q="order-1", state="VOIDED")
        assert "No id here matches order-1" in shown
        assert "Filters: state VOIDED" in shown

    def test_survives_what_no_database_can_hold(self, superuser: Staff) -> None:
        assert "Null characters are not allowed" in superuser.payments(q="\x00")

    def test_shows_what_was_searched_without_running_it(self, superuser: Staff) -> None:
        response = superuser.client.get(reverse("admin:payments_payment_changelist"), {"q": '"><b>'})
        assert b'"><b>' not in response.content
        assert b"&quot;&gt;&lt;b&gt;" in response.content


class TestOperations:
    """Scraps that only an operation, one of its attempts or its idempotency key knows."""

    @pytest.fixture
    def late(self, payment: Payment) -> Operation:
        """A capture whose attempt brought a reference too late, under the merchant's key."""
        operation = OperationFactory(payment=payment, kind=OperationKind.CAPTURE, request_id="request-7")
        AttemptFactory(operation=operation, bank_reference="cap_aaaaaaaa", is_late=True)
        with unguarded():
            IdempotencyKey.objects.create(
                merchant=payment.merchant, mode=payment.mode, key="ship-1", operation=operation
            )
        return operation

    def test_find_by_operation_id(self, superuser: Staff, late: Operation) -> None:
        assert superuser.found(q=late.public_id) == ["order-1"]
        assert superuser.found(q=str(late.pk)) == ["order-1"]

    @pytest.mark.usefixtures("late")
    @pytest.mark.parametrize("scrap", ["cap_aaaaaaaa", "aaaaaaaa", "AAAAAAAA", "ship-1", "request-7"])
    def test_find_by_an_attempts_reference_an_idempotency_key_and_a_request(
        self, superuser: Staff, scrap: str
    ) -> None:
        assert superuser.found(q=scrap) == ["order-1"]

    def test_find_by_a_released_hold_and_by_its_release(self, superuser: Staff, payment: Payment) -> None:
        OperationFactory(
            payment=payment,
            kind=OperationKind.RELEASE,
            succeeded=True,
            target_reference="auth_late",
            bank_reference="void_late",
        )
        for scrap in ("auth_late", "late", "void_late"):
            assert superuser.found(q=scrap) == ["order-1"]

    def test_find_a_payment_once(self, superuser: Staff, payment: Payment, late: Operation) -> None:
        OperationFactory(payment=payment, kind=OperationKind.RELEASE, request_id="request-7")
        assert superuser.found(q="request-7") == ["order-1"]

    def test_tell_of_a_release_that_belongs_to_no_payment(self, superuser: Staff) -> None:
        release = OperationFactory(payment=None, kind=OperationKind.RELEASE, target_reference="auth_stray")
        for scrap in ("auth_stray", "stray", release.public_id):
            shown = superuser.payments(q=scrap)
            assert "No payments match" in shown
            assert f"the hold auth_stray, which belongs to no payment: {release.public_id}, OPEN" in shown


class TestAsPeoplePasteIt:
    """What stands around an id in a mail, a chat or a spreadsheet is not part of it."""

    @pytest.mark.parametrize(
        "around", ["{}\u200b", "\ufeff{}", "\u00a0{}\u00a0", "\u2060{}\u200e", "\t{}\r\n"]
    )
    def test_finds_an_order_among_invisible_characters(self, superuser: Staff, around: str) -> None:
        PaymentFactory(order_id="order-1001")
        assert superuser.found(q=around.format("order-1001")) == ["order-1001"]
        assert superuser.found(q=around.format("order\u200b-1001")) == ["order-1001"]

    @pytest.mark.parametrize(
        "around", ['"{}"', "'{}'", "“{}”", "«{}»", "({})", "<{}>", "{}.", "{},", "{}?", '"{}".']
    )
    def test_finds_an_order_in_quotes_and_before_a_full_stop(self, superuser: Staff, around: str) -> None:
        PaymentFactory(order_id="order-1001")
        assert superuser.found(q=around.format("order-1001")) == ["order-1001"]

    def test_finds_an_order_with_a_sharp_that_is_stored_without_and_the_other_way_round(
        self, superuser: Staff
    ) -> None:
        PaymentFactory(order_id="A1001")
        PaymentFactory(order_id="#A1002")
        assert superuser.found(q="#A1001") == ["A1001"]
        assert superuser.found(q="A1002") == superuser.found(q="#A1002") == ["#A1002"]

    def test_finds_what_is_ours_in_any_case(self, superuser: Staff, payment: Payment) -> None:
        operation = OperationFactory(payment=payment, kind=OperationKind.CAPTURE)
        for scrap in (payment.public_id, operation.public_id, str(payment.pk), REFERENCES["bank_capture_id"]):
            assert superuser.found(q=scrap.upper()) == ["order-1"], scrap
        page = superuser.client.get(
            reverse("admin:payments_payment_change", args=[payment.public_id.upper()])
        )
        assert page.status_code == 200

    def test_finds_by_an_address_that_has_the_id(self, superuser: Staff, payment: Payment) -> None:
        for id_ in (payment.public_id, str(payment.pk)):
            address = f"https://pay.example.org/admin/payments/payment/{id_}/change/"
            assert superuser.found(q=address) == ["order-1"]

    @pytest.mark.parametrize(
        "card",
        [
            "•••• 4242",
            "••••4242",
            "**** 4242",
            "xxxx-4242",
            "visa 4242",
            "Visa •••• 4242",
            "…4242",
            "ending in 4242",
        ],
    )
    def test_finds_by_a_card_as_pages_show_it(self, superuser: Staff, payment: Payment, card: str) -> None:
        assert superuser.found(q=card) == ["order-1"]

    def test_finds_by_a_masked_number_and_takes_its_last_four(
        self, superuser: Staff, payment: Payment
    ) -> None:
        assert superuser.found(q="453957******4242") == ["order-1"]
        assert superuser.found(q="4539 57** **** 4242") == ["order-1"]

    @pytest.mark.parametrize("end", ["…", "...", "*", "… "])
    def test_finds_by_the_beginning_of_a_long_id(self, superuser: Staff, end: str) -> None:
        PaymentFactory(order_id="shop-2026-11-21-000000000000000001", customer_id="c-0000000000000000000001")
        PaymentFactory(order_id="shop-2025", customer_id="c-1")
        assert superuser.found(q=f"shop-2026-11{end}") == ["shop-2026-11-21-000000000000000001"]
        assert superuser.found(q=f"c-0000{end}") == ["shop-2026-11-21-000000000000000001"]
        assert superuser.found(q=f"%{end}") == superuser.found(q=f"sh{end}") == []

    def test_finds_by_the_beginning_of_an_id_of_ours(self, superuser: Staff, payment: Payment) -> None:
        operation = OperationFactory(payment=payment, kind=OperationKind.CAPTURE)
        for scrap in (
            payment.public_id[:14],
            payment.public_id[:14] + "…",
            payment.public_id[:14].upper(),
            operation.public_id[:14],
        ):
            assert superuser.found(q=scrap) == ["order-1"], scrap
        assert superuser.found(q="pay_") == []

    def test_still_refuses_a_card_number_between_invisible_characters(self, superuser: Staff) -> None:
        parted = "\u200b".join(CARD_NUMBER)
        response = superuser.client.post(reverse("admin:payments_payment_search"), {"q": parted})
        assert response["Location"] == reverse("admin:payments_payment_card_number_refused")


class TestAmounts:
    @pytest.fixture
    def payments(self, db: None) -> None:
        for cents in (50, 5000, 500_000):
            PaymentFactory(order_id=f"costs {cents}", amount_minor=cents, card_last4="9999")

    @pytest.mark.usefixtures("payments")
    @pytest.mark.parametrize(
        ("typed", "found", "read", "other", "instead"),
        [
            ("50", "costs 5000", "50.00 or 50", "0.50", "costs 50"),
            ("5000", "costs 5000", "50.00 or 5,000", "5,000.00", "costs 500000"),
        ],
    )
    def test_as_digits_alone_say_how_they_were_read_with_the_other_reading_a_click_away(
        self, superuser: Staff, typed: str, found: str, read: str, other: str, instead: str
    ) -> None:
        assert superuser.found(q=typed) == [found]
        response = superuser.client.get(
            reverse("admin:payments_payment_changelist"), {"q": typed, "state": "PENDING"}
        )
        shown = text_of(response.content.decode())
        assert f"the amount {read} in any currency (digits alone)" in shown
        assert f"Search instead: only {other}" in shown
        [address] = [link for text, link in response.context["cl"].other_readings if text == f"only {other}"]
        again = superuser.client.get(reverse("admin:payments_payment_changelist") + address)
        assert [each.order_id for each in again.context["cl"].result_list] == [instead]
        assert "state=PENDING" in address

    @pytest.mark.usefixtures("payments")
    @pytest.mark.parametrize(
        "typed", ["$50 1111", "1111 $50", "USD 50 visa 1111", "50,00 •••• 1111", "$50, 1111"]
    )
    def test_beside_a_card_must_both_be_right(self, superuser: Staff, typed: str) -> None:
        PaymentFactory(order_id="both", amount_minor=5000, card_last4="1111")
        PaymentFactory(order_id="card only", amount_minor=5100, card_last4="1111")
        assert superuser.found(q=typed) == ["both"]
        read = "the last four digits 1111 together with the amount $50.00"
        assert read.replace("$", "" if typed.startswith("50,") else "$") in superuser.payments(q=typed)

    def test_beside_a_card_have_two_readings_where_they_are_digits_alone(self, superuser: Staff) -> None:
        assert "Search instead: only 0.50 1111" in superuser.payments(q="50 1111")

    @pytest.mark.parametrize("typed", ["€81.50", "EUR 81.5", "81,50 EUR"])
    def test_in_a_currency_are_not_found_in_another(self, superuser: Staff, typed: str) -> None:
        PaymentFactory(order_id="in euros", amount_minor=8150, currency="EUR", card_last4="9999")
        assert superuser.found(q=typed) == ["in euros"]

    def test_are_searched_for_as_they_are_shown(self, superuser: Staff) -> None:
        PaymentFactory(order_id="in yen", amount_minor=5000, currency="JPY", card_last4="9999")
        PaymentFactory(order_id="in pounds", amount_minor=5000, currency="GBP", card_last4="9998")
        PaymentFactory(order_id="a lot of yen", amount_minor=500_000, currency="JPY", card_last4="9997")
        assert superuser.found(q="¥5,000") == ["in yen"]
        assert superuser.found(q="£50.00") == ["in pounds"]
        assert superuser.found(q="50.00") == ["in pounds"]
        assert superuser.found(q="¥50.00") == []
        assert superuser.found(q="5,000") == ["in yen"]

    @pytest.mark.parametrize("typed", ["CHF 50", "50,00 CHF"])
    def test_in_another_currency_say_which_there_are(self, superuser: Staff, typed: str) -> None:
        shown = superuser.payments(q=typed)
        assert "There are no payments in this currency. Currencies: USD, EUR, GBP, JPY." in shown

    def test_are_read_in_time_whatever_is_pasted(self) -> None:
        for pasted in ("." * 255, "*." * 127, "1 " * 127, "12345678 " * 28, "1,234" * 51, "visa " * 51):
            assert Typed(pasted + "!").money.together in (True, False)


class TestWords:
    """Of descriptions, of metadata's values, and email addresses."""

    @pytest.fixture(autouse=True)
    def mugs(self, db: None) -> Payment:
        PaymentFactory(order_id="another", description="Two shirts", metadata={"mugs": "no"})
        return PaymentFactory(
            order_id="mugs",
            description="Two blue Mugs, hand-made",
            metadata={"invoice": "INV-2026-0042", "gift": "für Jürgen"},
            customer_email="Kim.Lee@example.org",
        )

    @pytest.mark.parametrize(
        "scrap",
        [
            "kim.lee@example.org",
            "KIM.LEE@EXAMPLE.ORG",
            "<kim.lee@example.org>",
            "mail of kim.lee@example.org,",
        ],
    )
    def test_find_by_email(self, superuser: Staff, scrap: str) -> None:
        assert superuser.found(q=scrap) == ["mugs"]

    @pytest.mark.parametrize(
        "scrap",
        [
            "blue mugs",
            "Mugs",
            "mug",
            "hand-made",
            "two mugs",
            "INV-2026-0042",
            "inv-2026",
            "0042",
            "Jürgen",
            "“blue mugs”",
        ],
    )
    def test_find_by_part_of_a_description_and_by_a_value_of_metadata(
        self, superuser: Staff, scrap: str
    ) -> None:
        assert superuser.found(q=scrap) == ["mugs"]
        shown = superuser.payments(q=scrap)
        assert "Searched as words in descriptions and metadata." in shown

    @pytest.mark.parametrize("scrap", ["blue shirts", "ugs", "bl", "invoice", "blue' | 'shirts"])
    def test_find_nothing_else(self, superuser: Staff, scrap: str) -> None:
        assert superuser.found(q=scrap) == []

    def test_find_whole_ones_before_those_that_begin_so(self, superuser: Staff) -> None:
        PaymentFactory(order_id="ten", metadata={"invoice": "inv10"})
        PaymentFactory(order_id="thousand", metadata={"invoice": "inv1000"})
        assert superuser.found(q="inv10") == ["ten"]
        assert superuser.found(q="inv1") == ["thousand", "ten"]

    def test_come_after_ids_and_are_a_click_away(self, superuser: Staff) -> None:
        PaymentFactory(order_id="blue")
        assert superuser.found(q="blue") == ["blue"]
        assert "Search instead: in descriptions and metadata" in superuser.payments(q="blue")
        assert superuser.found(q="blue", **{"in": "words"}) == ["mugs"]
        assert superuser.found(q="blue", **{"in": "words"}, state="CAPTURED") == []

    def test_say_why_a_cards_first_digits_find_nothing(self, superuser: Staff) -> None:
        for beginning in ("453957", "45395787", "453957******1111"):
            said = "FicPay does not store a card's first six digits. Search for its last four."
            assert said in superuser.payments(q=beginning)


class TestTheSearchForm:
    """It is posted, so that what was typed by mistake stands in no address."""

    def search(self, staff: Staff, **fields: str) -> str:
        response = staff.client.post(reverse("admin:payments_payment_search"), fields)
        assert response.status_code == 302
        return str(response["Location"])

    def test_leads_to_an_address_that_can_be_shared(self, superuser: Staff) -> None:
        location = self.search(superuser, q=" order-1 ", state="CAPTURED", mode="", created_from="2026-11-21")
        assert location == "/admin/payments/payment/?q=order-1&state=CAPTURED&created_from=2026-11-21"

    def test_names_the_zone_beside_a_day_that_is_not_of_utc(self, superuser: Staff) -> None:
        day = {"created_from": "2026-11-21"}
        assert self.search(superuser, **day, zone="Asia/Tokyo").endswith(
            "/?created_from=2026-11-21&zone=Asia%2FTokyo"
        )
        assert self.search(superuser, **day, zone="UTC").endswith("/?created_from=2026-11-21")
        assert self.search(superuser, q="a", zone="Asia/Tokyo").endswith("/?q=a")

    def test_leads_to_the_whole_list_where_nothing_is_asked(self, superuser: Staff) -> None:
        assert self.search(superuser, q=" ") == "/admin/payments/payment/"

    def test_takes_no_other_fields_along(self, superuser: Staff) -> None:
        assert self.search(superuser, q="a", description__contains="b") == "/admin/payments/payment/?q=a"

    def test_is_for_staff_who_are_signed_in(self, superuser: Staff) -> None:
        superuser.client.logout()
        assert self.search(superuser, q="order-1").startswith("/admin/login/")


class TestCardNumbers:
    """A customer reads a whole card number out, and it lands in the box."""

    @pytest.mark.parametrize(
        "typed", [CARD_NUMBER, "4539 5787 6362 1486", f"card {CARD_NUMBER[:8]}-{CARD_NUMBER[8:]}"]
    )
    def test_are_refused_in_plain_words(
        self,
        superuser: Staff,
        typed: str,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        PaymentFactory(card_last4=CARD_NUMBER[-4:], order_id="theirs")
        with caplog.at_level(0):
            response = superuser.client.post(
                reverse("admin:payments_payment_search"), {"q": typed}, follow=True
            )
        shown = response.content.decode()
        assert "Not searched: your text contained a card number" in shown
        assert "last four digits" in shown
        assert "theirs" not in shown
        everything = [shown, str(response.redirect_chain), caplog.text, *capfd.readouterr()]
        assert not [text for text in everything for part in (typed, CARD_NUMBER) if part in text]

    @pytest.mark.parametrize(
        "field", ["state", "mode", "merchant", "attention", "created_from", "created_to"]
    )
    def test_are_refused_in_the_filters_too(self, superuser: Staff, field: str) -> None:
        response = superuser.client.post(reverse("admin:payments_payment_search"), {field: CARD_NUMBER})
        assert response["Location"] == reverse("admin:payments_payment_card_number_refused")

    @pytest.mark.parametrize(
        "query", [{"q": CARD_NUMBER}, {"q": "x", "_changelist_filters": f"q={CARD_NUMBER}"}]
    )
    def test_are_not_repeated_from_an_address_typed_by_hand(
        self, superuser: Staff, query: dict[str, str]
    ) -> None:
        PaymentFactory(card_last4=CARD_NUMBER[-4:], order_id="theirs")
        response = superuser.client.get(reverse("admin:payments_payment_changelist"), query)
        assert CARD_NUMBER not in response.content.decode() + str(response.headers)
        assert "theirs" not in response.content.decode()
        assert "last four digits" in response.content.decode()

    def test_are_not_remembered_on_the_way_to_the_login(self, superuser: Staff) -> None:
        superuser.client.logout()
        response = superuser.client.get(
            reverse("admin:payments_payment_changelist"), {"q": CARD_NUMBER}, follow=True
        )
        assert CARD_NUMBER not in response.content.decode() + str(response.redirect_chain)

    @pytest.mark.usefixtures("db")
    def test_do_not_keep_ids_from_being_found(self, superuser: Staff) -> None:
        """A UUID's digits may look like a card number's."""
        reference = "auth_45395787-6362-4480-8aaa-aaaaaaaaaaaa"
        assert passes_luhn("4539578763624480")
        PaymentFactory(authorized=True, order_id="unlucky", bank_authorization_id=reference)
        assert superuser.found(q=reference) == ["unlucky"]
