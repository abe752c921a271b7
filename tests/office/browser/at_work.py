"""What members of staff do at their browser, one after another.

With FICPAY_SCREENSHOTS set to a folder, the pages on the way are photographed into it (`make screenshots`).
"""

import os
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.office.browser.conftest import scrolls_sideways


def photograph(page: Page, name: str) -> None:
    """For the README, where it is asked for; and a page that scrolls sideways is no page."""
    assert not scrolls_sideways(page), name
    folder = os.environ.get("FICPAY_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")


def decide(page: Page, **given: str) -> None:
    """Fill in a decision's form, look at what will happen, confirm."""
    for label, value in given.items():
        page.get_by_label(label.replace("_", " ")).fill(value)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("What will happen")).to_be_visible()


def confirm(page: Page) -> None:
    page.get_by_role("button", name="Confirm").click()
