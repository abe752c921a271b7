"""Support's everyday tasks, in a real browser on a small laptop."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from payments.domain.states import OperationKind, PaymentState
from payments.models import Assignment, Event, Payment, Resolution
from tests.office.browser.conftest import AnotherLaptop, hardly_legible, log_in, scrolls_sideways
from tests.support.factories import AttemptFactory, EventFactory, OperationFactory, PaymentFactory

LIST = "/admin/payments/payment/"
# Looks like a card: sixteen digits, Visa's first, Luhn-valid. Nobody's.
CARD_NUMBER = "4539578763621486"


@pytest.fixture
def payments(transactional_db: None) -> Payment:
    """Thirty payments with the longest values there can be, and the one that is looked for."""
    now = datetime.now(UTC)
    states = list(PaymentState)
    for number in range(30):
        PaymentFactory(
            state=states[number % len(states)],
            order_id=f"{number:02}".ljust(64, "W"),
            customer_id="customer-".ljust(64, "W"),
            amount_minor=99_999_999,
            card_last4="1111",
            created_at=now - timedelta(minutes=number),
        )
    payment = PaymentFactory(
        captured=True,
        order_id="order-1001",
        card_last4="4242",
        description="shoes " * 80,
        metadata={"k" * 40: "v" * 500},
    )
    authorize = OperationFactory(payment=payment, succeeded=True, created_at=now)
    AttemptFactory(operation=authorize, silent=True, started_at=now + timedelta(seconds=1))
    AttemptFactory(operation=authorize, number=2, started_at=now + timedelta(seconds=2))
    EventFactory(
        payment=payment,
        type=Event.Type.PAYMENT_AUTHORIZED,
        operation=authorize,
        at=now + timedelta(seconds=3),
    )
    OperationFactory(payment=payment, kind=OperationKind.REFUND, created_at=now + timedelta(seconds=4))
    return payment


@pytest.mark.usefixtures("payments")
class TestSupport:
    def test_finds_a_payment_by_its_last_four_and_reads_its_timeline(self, signed_in: Page) -> None:
        page = signed_in
        page.goto("/admin/")
        page.get_by_role("link", name="Payments").first.click()
        page.get_by_role("searchbox", name="Search").fill("4242")
        page.get_by_role("button", name="Search").click()
        page.wait_for_url("**/?q=4242")
        rows = page.locator("#result_list tbody")
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("$50.00")
        expect(rows).to_contain_text("refund pending")

        rows.get_by_role("link").click()
        expect(page.locator(".ficpay-head")).to_contain_text("$50.00")
        expect(page.locator(".ficpay-timeline > li strong")).to_have_text(
            [
                "API request to authorize",
                "Authorize recorded, to be sent to ficmart",
                "Authorize, attempt 1",
                "Authorize, attempt 2",
                "Payment authorized",
                "API request to refund",
                "Refund recorded, to be sent to ficmart",
            ]
        )

    def test_filters_by_state_by_day_and_by_what_needs_attention(self, signed_in: Page) -> None:
        page = signed_in
        OperationFactory(
            payment=PaymentFactory(authorized=True, order_id="for-people"),
            kind=OperationKind.CAPTURE,
            needs_review=True,
        )
        page.goto(LIST)
        page.get_by_role("combobox", name="State", exact=True).select_option("DECLINED")
        page.get_by_role("button", name="Search").click()
        page.wait_for_url("**/?state=DECLINED")
        labels = page.locator("#result_list .field-state_label")
        expect(labels).to_have_text(["DECLINED"] * 3)
        expect(page.get_by_role("combobox", name="State", exact=True)).to_have_value("DECLINED")
        page.get_by_role("link", name="Clear").click()
        expect(labels).to_have_count(25)

        page.get_by_label("Created from").fill("2020-01-01")
        page.get_by_label("Created to").fill("2020-12-31")
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_role("heading", name="No payments match")).to_be_visible()
        page.get_by_role("link", name="clear search and filters").click()
        expect(page.locator("#result_list tbody")).to_have_count(25)

        page.get_by_role("combobox", name="Attention", exact=True).select_option("needs_review")
        page.get_by_role("button", name="Search").click()
        page.wait_for_url("**/?attention=needs_review")
        expect(page.locator("#result_list tbody")).to_have_count(1)
        expect(page.locator("#result_list .field-order")).to_have_text("for-people")

    def test_reads_times_in_their_own_zone_and_under_the_mouse_in_utc(
        self, signed_in: Page, another_laptop: AnotherLaptop
    ) -> None:
        at = datetime(2026, 7, 1, 22, 15, tzinfo=UTC)
        payment = PaymentFactory(order_id="in-summer", created_at=at)
        EventFactory(payment=payment, type=Event.Type.PAYMENT_CREATED, at=at)
        with another_laptop(timezone_id="Asia/Kolkata") as page:
            page.goto(f"{LIST}?q=in-summer")
            expect(page.locator(".field-created time")).to_have_text("2026-07-02 03:45:00")
            expect(page.locator(".field-created time")).to_have_attribute("title", "2026-07-01 22:15:00 UTC")
            expect(page.locator(".column-created")).to_have_text("Created (local)")
            assert not scrolls_sideways(page)
            page.locator("#result_list").get_by_role("link").click()
            when = page.locator(".ficpay-when time").first
            expect(when).to_have_text("2026-07-02 03:45:00.000 GMT+5:30")
            expect(when).to_have_attribute("title", "2026-07-01 22:15:00.000 UTC")
            assert not scrolls_sideways(page)

    def test_asks_for_days_of_their_own_zone_and_shares_what_was_found(
        self, signed_in: Page, another_laptop: AnotherLaptop
    ) -> None:
        PaymentFactory(order_id="in-summer", created_at=datetime(2026, 7, 1, 22, 15, tzinfo=UTC))
        orders = "#result_list .field-order"
        with another_laptop(timezone_id="America/New_York") as page:
            page.goto(LIST)
            expect(page.get_by_label("Days in")).to_have_value("America/New_York")
            page.get_by_label("Created to").fill("2026-07-01")
            page.get_by_role("button", name="Search").click()
            expect(page.locator(orders)).to_have_text("in-summer")
            shared = page.url
        with another_laptop(timezone_id="Asia/Tokyo") as page:
            page.goto(shared)
            expect(page.locator(orders)).to_have_text("in-summer")
            expect(page.get_by_label("Days in")).to_have_value("America/New_York")
            page.get_by_label("Days in").select_option("Asia/Tokyo")
            page.get_by_role("button", name="Search").click()
            expect(page.get_by_role("heading", name="No payments match")).to_be_visible()
            assert not scrolls_sideways(page)
            page.goto(f"{LIST}?created_to=2026-07-01")  # as the dashboard counts days
            expect(page.get_by_label("Days in")).to_have_value("UTC")
            expect(page.locator(orders)).to_have_text("in-summer")

    def test_asks_for_days_of_utc_without_a_script(
        self, signed_in: Page, another_laptop: AnotherLaptop
    ) -> None:
        with another_laptop(timezone_id="Asia/Tokyo", java_script_enabled=False) as page:
            page.goto(LIST)
            expect(page.locator("select[name=zone] option")).to_have_text(["UTC"])

    def test_needs_no_mouse(self, signed_in: Page) -> None:
        """The search has the focus; a link past the filters and all payments follow in reading order."""
        page = signed_in
        page.goto(LIST)
        expect(page.get_by_role("searchbox", name="Search")).to_be_focused()
        page.keyboard.type("order-1001")
        page.keyboard.press("Enter")
        page.wait_for_url("**/?q=order-1001")
        expect(page.get_by_role("searchbox", name="Search")).to_be_focused()
        for _ in range(3):  # Search, Clear, and past the filters
            page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to results")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
        log_out = page.get_by_role("button", name="Log out")
        log_out.focus()
        expect(log_out).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Logged out").first).to_be_visible()
        page.goto(LIST)
        log_in(page)
        expect(page.locator("#result_list tbody")).to_have_count(25)

    def test_scrolls_nothing_sideways(self, signed_in: Page, payments: Payment) -> None:
        page = signed_in
        paths = [
            *(
                "/admin/",
                LIST,
                f"{LIST}?p=2",
                f"{LIST}?q=lost",
                f"{LIST}?q=4242&attention=in_doubt",
                f"{LIST}{payments.public_id}/change/",
            ),
            *(f"{LIST}card-number-refused/", "/admin/payments/merchant/", "/admin/payments/apikey/"),
            *("/admin/auth/user/", "/admin/auth/user/add/", "/admin/auth/group/"),
            *(
                "/admin/second-factor/",
                "/admin/password_change/",
                f"{LIST}review/",
                f"{LIST}stray-hold/",
                "/",
            ),
        ]
        for path in paths:
            page.goto(path)
            page.evaluate("document.fonts.ready")
            assert not scrolls_sideways(page), path

    def test_scrolls_nothing_sideways_in_a_full_queue(self, signed_in: Page) -> None:
        page = signed_in
        proposed_by = User.objects.create_user("W" * 150)
        payment = PaymentFactory(authorized=True, order_id="W" * 64, amount_minor=99_999_999)
        release = OperationFactory(payment=None, kind=OperationKind.RELEASE, needs_review=True)
        void = OperationFactory(payment=payment, kind=OperationKind.VOID, needs_review=True)
        for operation in (release, void):
            Assignment.objects.create(operation=operation, owner=proposed_by)
            Resolution.objects.create(
                kind=Resolution.Kind.RECORD_NOT_EXECUTED,
                payment=operation.payment,
                operation=operation,
                bank="ficmart",
                amount_minor=operation.amount_minor,
                currency="USD",
                reference="W" * 64,
                reason="W" * 500,
                evidence="bank_word",
                quote="W" * 1000,
                proposed_by=proposed_by,
            )
        page.goto(f"{LIST}review/")
        page.evaluate("document.fonts.ready")
        assert not scrolls_sideways(page)
        page.get_by_role("link", name="waiting for approval").first.click()
        expect(page.locator("tr:target")).to_contain_text("Approve")
        buttons = page.locator(".ficpay-actions .ficpay-button")
        for number in range(buttons.count()):
            assert buttons.nth(number).evaluate("button => button.scrollWidth <= button.clientWidth")

    def test_sees_the_whole_of_every_label(self, signed_in: Page) -> None:
        waiting = PaymentFactory(order_id="waiting", amount_minor=99_999_999)
        OperationFactory(payment=waiting, needs_review=True)
        signed_in.goto(LIST)
        expect(signed_in.get_by_text("authorize needs review")).to_be_visible()
        cells = signed_in.locator("#result_list .field-state_label")
        assert cells.evaluate_all("cells => cells.every(cell => cell.scrollWidth <= cell.clientWidth)")

    def test_can_read_every_link_and_every_error(self, signed_in: Page) -> None:
        page = signed_in
        OperationFactory(payment=None, kind=OperationKind.RELEASE, needs_review=True)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            for path in ("/admin/", LIST, f"{LIST}?q=lost", f"{LIST}review/", "/admin/schedules/"):
                page.goto(path)
                page.wait_for_load_state("networkidle")
                assert page.locator("html.dark").count() == (scheme == "dark")
                assert hardly_legible(page, "#content-main a, .ficpay-error") == [], (scheme, path)

    def test_stays_within_its_policy_where_the_theme_has_widgets(self, signed_in: Page) -> None:
        for path in ("/admin/auth/group/add/", "/admin/auth/user/1/delete/", "/nowhere"):
            signed_in.goto(path)
            signed_in.wait_for_load_state("networkidle")

    def test_knows_the_page_among_others_by_its_icon(self, signed_in: Page) -> None:
        """Drawn by the browser, and nothing that the page's policy refuses."""
        signed_in.goto("/admin/")
        width = signed_in.evaluate(
            """address => new Promise((resolve, reject) => {
                   const image = new Image();
                   image.onload = () => resolve(image.naturalWidth);
                   image.onerror = () => reject(address);
                   image.src = address;
               })""",
            signed_in.locator("link[rel=icon]").get_attribute("href"),
        )
        assert width > 0

    def test_types_a_card_number_and_leaves_it_nowhere(self, signed_in: Page) -> None:
        page = signed_in
        visited: list[str] = []
        page.on("request", lambda request: visited.append(f"{request.url} {request.headers}"))
        page.goto(LIST)
        page.get_by_role("searchbox", name="Search").fill(f" {CARD_NUMBER[:4]} {CARD_NUMBER[4:]}")
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_role("alert")).to_contain_text("your text contained a card number")
        page.get_by_role("link", name="Search by last four digits").click()
        expect(page.get_by_role("searchbox", name="Search")).to_be_focused()
        assert not [line for line in [*visited, page.content()] if CARD_NUMBER[4:] in line]
