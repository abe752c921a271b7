"""One box for whatever scrap the caller has."""

import pytest
from django.urls import reverse

from payments.admin.search import amount_cents
from payments.domain.cards import passes_luhn
from payments.domain.states import OperationKind, OperationState, PaymentState
from payments.models import IdempotencyKey, Operation, Payment
from tests.admin.conftest import Staff
from tests.factories import make_attempt, make_operation, make_payment

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
    make_payment(order_id="another", customer_id="nobody", card_last4="0000")
    return make_payment(
        PaymentState.REFUNDED,
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
        make_payment(order_id="4242", card_last4="9999")
        assert superuser.found(q="4242") == ["4242", "order-1"]

    @pytest.mark.parametrize("name", ["bank_authorization_id", "bank_capture_id", "bank_refund_id"])
    def test_finds_by_bank_reference_with_and_without_its_prefix(self, superuser: Staff, name: str) -> None:
        reference = REFERENCES[name]
        assert superuser.found(q=reference) == ["order-1"]
        assert superuser.found(q=reference.partition("_")[2]) == ["order-1"]

    def test_finds_by_the_reference_of_a_void(self, superuser: Staff) -> None:
        make_payment(PaymentState.VOIDED, order_id="voided", bank_void_id=REFERENCES["bank_void_id"])
        assert superuser.found(q=REFERENCES["bank_void_id"]) == ["voided"]
        assert superuser.found(q=REFERENCES["bank_void_id"].removeprefix("void_")) == ["voided"]

    @pytest.mark.parametrize("typed", ["$81.50", "81.50", "$ 81.50", "8150"])
    def test_finds_by_amount(self, superuser: Staff, typed: str) -> None:
        make_payment(order_id="costly", amount_cents=8150, card_last4="9999")
        assert superuser.found(q=typed) == ["costly"]

    def test_takes_four_digits_for_the_last_four_and_for_cents(self, superuser: Staff) -> None:
        make_payment(order_id="costs $42.42", amount_cents=4242, card_last4="9999")
        assert superuser.found(q="4242") == ["costs $42.42", "order-1"]
        taken_for = "4242 is taken for the last four digits 4242 and for the amount $42.42 (4242 cents)"
        assert taken_for in superuser.payments(q="4242")

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
            ("50.0", None),
            ("1,23.00", None),
            ("-5.00", None),
            ("\u0665\u0660\u0660\u0660", None),
        ],
    )
    def test_reads_dollars_with_a_sign_or_a_point_and_cents_without(
        self, typed: str, cents: int | None
    ) -> None:
        assert amount_cents(typed) == cents

    @pytest.mark.parametrize("part", ["order", "rder-1", "ki", "42", "auth_", "%", "_"])
    def test_compares_whole_values_only(self, superuser: Staff, part: str) -> None:
        assert superuser.found(q=part) == []

    def test_says_what_to_do_where_nothing_matches(self, superuser: Staff) -> None:
        shown = superuser.payments(q="lost")
        assert "No payment matches" in shown
        assert "clear the search and the filters" in shown

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
        operation = make_operation(payment, OperationKind.CAPTURE, request_id="request-7")
        make_attempt(operation, bank_reference="cap_aaaaaaaa", is_late=True)
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
        make_operation(
            payment,
            OperationKind.RELEASE,
            OperationState.SUCCEEDED,
            target_reference="auth_late",
            bank_reference="void_late",
        )
        for scrap in ("auth_late", "late", "void_late"):
            assert superuser.found(q=scrap) == ["order-1"]

    def test_find_a_payment_once(self, superuser: Staff, payment: Payment, late: Operation) -> None:
        make_operation(payment, OperationKind.RELEASE, request_id="request-7")
        assert superuser.found(q="request-7") == ["order-1"]

    def test_tell_of_a_release_that_belongs_to_no_payment(self, superuser: Staff) -> None:
        release = make_operation(None, OperationKind.RELEASE, target_reference="auth_stray")
        for scrap in ("auth_stray", "stray", release.public_id):
            shown = superuser.payments(q=scrap)
            assert "No payment matches" in shown
            assert f"the hold auth_stray, which belongs to no payment: {release.public_id}, OPEN" in shown


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
        make_payment(card_last4=CARD_NUMBER[-4:], order_id="theirs")
        with caplog.at_level(0):
            response = superuser.client.post(
                reverse("admin:payments_payment_search"), {"q": typed}, follow=True
            )
        shown = response.content.decode()
        assert "That contained a card number, so it was not searched" in shown
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
        make_payment(card_last4=CARD_NUMBER[-4:], order_id="theirs")
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
        make_payment(PaymentState.AUTHORIZED, order_id="unlucky", bank_authorization_id=reference)
        assert superuser.found(q=reference) == ["unlucky"]
