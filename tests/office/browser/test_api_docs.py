"""The API's documentation renders where the internet cannot be reached."""

from playwright.sync_api import Page, expect


class TestApiDocs:
    def test_swagger_ui_needs_nobody_else(self, browser_page: Page) -> None:
        browser_page.goto("/api/docs/")
        expect(browser_page.get_by_role("heading", name="FicPay")).to_be_visible()
        expect(browser_page.get_by_text("/api/v1/payments", exact=True).first).to_be_visible()
        browser_page.wait_for_load_state("networkidle")

    def test_an_error_leads_to_its_page(self, browser_page: Page) -> None:
        browser_page.goto("/problems/")
        browser_page.get_by_role("link", name="insufficient_funds").click()
        expect(browser_page.get_by_role("heading", name="The card was declined")).to_be_visible()
        expect(browser_page.get_by_text('"code": "insufficient_funds"').first).to_be_visible()
        browser_page.wait_for_load_state("networkidle")

    def test_redoc_needs_nobody_else(self, browser_page: Page) -> None:
        browser_page.goto("/api/redoc/")
        expect(browser_page.get_by_role("heading", name="FicPay")).to_be_visible()
        expect(browser_page.get_by_role("heading", name="Authorize a payment")).to_be_visible()
        browser_page.wait_for_load_state("networkidle")
        # A connection opened ahead of any request would escape the browser's route.
        assert browser_page.locator("link[rel=preconnect], link[rel=dns-prefetch]").count() == 0
