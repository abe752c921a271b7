"""The books: a statement is uploaded, shows a difference, and the difference is accepted."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page, expect

from office.door.roles import Role
from reconciliation.models import Difference
from tests.office.browser.at_work import confirm, decide, photograph
from tests.office.browser.conftest import SignIn

HEADER = "entry_id,type,reference_id,amount_cents,currency,created_at"
ROW = "{0}0000000-0000-4000-8000-000000000000,AUTH_HOLD,,{1},USD,{2}T09:30:00Z"


class TestFinance:
    def test_uploads_a_statement_and_accepts_what_it_shows(self, sign_in: SignIn, tmp_path: Path) -> None:
        day = (datetime.now(UTC) - timedelta(days=4)).date()
        file = tmp_path / f"statement-{day}.csv"
        file.write_text("\n".join([HEADER, ROW.format(1, 5000, day), ROW.format(2, 123_400, day), ""]))
        page = sign_in("fin", Role.FINANCE)
        page.goto("/admin/")
        page.get_by_role("link", name="Statements").click()
        page.get_by_role("link", name="Upload a statement…").click()
        page.get_by_label("File").set_input_files(file)
        page.get_by_role("button", name="Import").click()
        expect(page.get_by_text("Lines: 2, of which 2 are new.")).to_be_visible()
        expect(page.get_by_text("A hold that no payment claims").first).to_be_visible()
        photograph(page, "reconciliation")
        assert pages_printed(page) == 1
        page.get_by_role("link", name="Differences").click()
        photograph(page, "differences")
        assert not cut_off_on_a_phone(page)
        page.locator("#result_list tbody").first.get_by_role("link").click()
        page.get_by_role("button", name="Take").click()
        expect(page.get_by_text("Owner: fin.")).to_be_visible()
        photograph(page, "difference")
        page.get_by_role("link", name="Accept…").click()
        decide(page, Reason="The bank frees it by itself.")
        confirm(page)
        expect(page.get_by_text("The difference is accepted.")).to_be_visible()
        assert Difference.objects.filter(state="ACCEPTED").count() == 1
        page.get_by_role("link", name="Statements").click()
        expect(page.get_by_text("Days without a statement")).to_be_visible()
        photograph(page, "statements")


def cut_off_on_a_phone(page: Page) -> int:
    """How many cells of the list are lower than their text on a narrow screen."""
    laptop = page.viewport_size
    assert laptop is not None
    page.set_viewport_size({"width": 390, "height": 844})
    cells = page.locator("#result_list td")
    cut: int = cells.evaluate_all("all => all.filter(one => one.scrollHeight > one.clientHeight).length")
    page.set_viewport_size(laptop)
    return cut


def pages_printed(page: Page) -> int:
    """On paper of the size that the style sheet says. Chromium writes a PDF's pages as plain objects."""
    return len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True)))
