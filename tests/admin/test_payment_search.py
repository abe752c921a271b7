"""One box for whatever scrap the caller has."""

import pytest
from django.urls import reverse

from payments.domain.cards import passes_luhn
from payments.domain.states import PaymentState
from payments.models import Payment
from tests.admin.conftest import Staff
from tests.factories import make_payment

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


class TestTheSearchForm:
    """It is posted, so that what was typed by mistake stands in no address."""

    def search(self, staff: Staff, **fields: str) -> str:
        response = staff.client.post(reverse("admin:payments_payment_search"), fields)
        assert response.status_code == 302
        return str(response["Location"])

    def test_leads_to_an_address_that_can_be_shared(self, superuser: Staff) -> None:
        location = self.search(superuser, q=" order-1 ", state="CAPTURED", mode="", created_from="2026-11-21")
        assert location == "/admin/payments/payment/?q=order-1&state=CAPTURED&created_from=2026-11-21"

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

    @pytest.mark.parametrize("field", ["state", "mode", "merchant", "created_from", "created_to"])
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
