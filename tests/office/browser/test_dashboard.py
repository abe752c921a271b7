"""The admin's first page in a real browser on a small laptop, in light and in the dark."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from payments.domain.states import Mode, OperationKind, PaymentState
from tests.office.browser.conftest import scrolls_sideways
from tests.support.factories import AttemptFactory, MerchantFactory, OperationFactory, PaymentFactory


@pytest.fixture
def payments(transactional_db: None) -> None:
    """Of each state one or two, with the largest amounts and the longest names there can be."""
    now = datetime.now(UTC)
    merchants = [MerchantFactory(), MerchantFactory(slug="w", name="W" * 100)]
    for number, state in enumerate([*PaymentState, PaymentState.DECLINED]):
        payment = PaymentFactory(
            state=state, merchant=merchants[number % 2], created_at=now, at=now, amount_minor=99_999_999
        )
        AttemptFactory(operation=OperationFactory(payment=payment, succeeded=True, bank_reference="auth_1"))
    held = PaymentFactory(authorized=True, created_at=now - timedelta(days=3), at=now)
    OperationFactory(payment=held, kind=OperationKind.CAPTURE, needs_review=True)
    OperationFactory(payment=held, kind=OperationKind.RELEASE, lease_expires_at=now - timedelta(days=2))
    PaymentFactory(created_at=now, mode=Mode.TEST)


@pytest.mark.usefixtures("payments")
class TestDashboard:
    def test_leads_from_a_figure_to_its_payments(self, signed_in: Page) -> None:
        page = signed_in
        page.goto("/admin/")
        row = page.get_by_role("row").filter(has_text="DECLINED")
        expect(row.get_by_role("link")).to_have_text("2")
        row.get_by_role("link").click()
        expect(page.locator("#result_list .field-state_label")).to_have_text(["DECLINED"] * 2)
        expect(page.locator("select[name=state]")).to_have_value("DECLINED")

    def test_needs_no_mouse(self, signed_in: Page) -> None:
        page = signed_in
        page.goto("/admin/")
        switch = page.get_by_role("link", name="Test", exact=True)
        page.get_by_role("link", name="Live", exact=True).focus()
        page.keyboard.press("Tab")
        expect(switch).to_be_focused()
        page.keyboard.press("Enter")
        page.wait_for_url("**/?mode=test**")
        expect(page.get_by_text("Test mode: no real money")).to_be_visible()
        expect(page.get_by_role("link", name="Test", exact=True)).to_have_attribute("aria-current", "true")
        page.get_by_text("Show as table").focus()
        page.keyboard.press("Enter")
        table = page.get_by_role("table").filter(has_text="Hour (UTC)")
        expect(table.get_by_role("row")).to_have_count(2)

    def test_draws_the_days_as_columns_that_are_links(self, signed_in: Page) -> None:
        page = signed_in
        page.goto("/admin/?days=7")
        chart = page.get_by_role("group", name="Payments by day (UTC)")
        expect(chart.get_by_role("link")).to_have_count(2)
        expect(chart.get_by_role("link").last).to_have_attribute(
            "aria-label", f"{datetime.now(UTC).date()}: 9 payments, 3 declined or failed"
        )

    def test_keeps_every_note_within_its_tile(self, signed_in: Page) -> None:
        for _ in range(12):
            OperationFactory(
                payment=None,
                kind=OperationKind.RELEASE,
                lease_expires_at=datetime.now(UTC) - timedelta(days=2),
            )
        page = signed_in
        page.goto("/admin/")
        expect(page.get_by_text("plus 13 releases of holds, oldest")).to_be_visible()
        for width in (1280, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            too_wide = page.locator(".ficpay-note").evaluate_all(
                "all => all.filter(note => note.scrollWidth > note.clientWidth).map(note => note.innerText)"
            )
            assert too_wide == [], width

    def test_has_its_numbers_one_below_the_other(self, signed_in: Page) -> None:
        signed_in.goto("/admin/")
        aligned = signed_in.locator(".ficpay-table td.ficpay-right").evaluate_all(
            "cells => cells.map(cell => getComputedStyle(cell).textAlign)"
        )
        assert set(aligned) == {"right"}

    def test_scrolls_nothing_sideways(self, signed_in: Page) -> None:
        page = signed_in
        days = ("/admin/", "/admin/?days=7")
        for scheme, paths in (
            ("light", (*days, "/admin/?mode=test", "/admin/?mode=test&days=7")),
            ("dark", days),
        ):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            for path in paths:
                page.goto(path)
                page.evaluate("document.fonts.ready")
                assert not scrolls_sideways(page), (scheme, path)
            assert page.evaluate("document.documentElement.classList.contains('dark')") is (scheme == "dark")
