"""A real browser in front of a real server: Debian's Chromium, driven by Playwright.

It may speak to the live server only. What else it asks for is refused and fails the test.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests.support.searchable import make_searchable

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
LAPTOP = {"width": 1280, "height": 800}
PASSWORD = "correct horse battery staple"
PATIENCE = 20_000  # milliseconds: a loaded machine is slow
expect.set_options(timeout=PATIENCE)


# What a page tried beyond its Content-Security-Policy, said where the tests can hear it.
VIOLATION = "beyond its policy: "
TELL_VIOLATIONS = f"""document.addEventListener('securitypolicyviolation', event => console.error(
    '{VIOLATION}' + [event.effectiveDirective, event.blockedURI, event.sourceFile, event.lineNumber,
                     event.sample].join(' ')))"""

# ReDoc's badge has a logo of its makers, who need not know who reads our documentation.
REFUSED_ON_PURPOSE = f"{VIOLATION}img-src https://cdn.redoc.ly/"


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Gone with the last test of this folder: while it is there, its event loop occupies the thread."""
    if CHROMIUM is None:
        pytest.skip("No browser found: install chromium (apt-get install chromium) to run these tests.")
    # Beside a running event loop Django would refuse to ask the database.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def browser_page(browser: Browser, live_server: Any) -> Iterator[Page]:
    """A page of a new browser on a small laptop. Asking anybody but the live server fails the test,
    and so does an error in a script, or what the page's Content-Security-Policy refuses."""
    strangers: list[str] = []
    errors: list[str] = []
    said: list[str] = []

    def only_ours(route: Route) -> None:
        url = route.request.url
        if url.startswith((live_server.url, "data:", "blob:")):
            if route.request.is_navigation_request():
                make_searchable()
                connection.close()  # this callback has one of its own
            route.continue_()
        else:
            strangers.append(url)
            route.abort()

    context = browser.new_context(base_url=live_server.url, viewport=LAPTOP)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE)
    context.route("**/*", only_ours)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: said.append(message.text))
    page.add_init_script(TELL_VIOLATIONS)
    yield page
    context.close()
    refused = [text for text in said if text.startswith(VIOLATION)]
    assert [text for text in refused if not text.startswith(REFUSED_ON_PURPOSE)] == []
    assert strangers == []
    assert errors == []


@pytest.fixture
def signed_in(browser_page: Page, transactional_db: None) -> Page:
    """A member of staff who may see everything, signed in by the form, on the admin's first page."""
    User.objects.create_superuser("ada", password=PASSWORD)
    browser_page.goto("/admin/")
    browser_page.get_by_label("Username").fill("ada")
    browser_page.get_by_label("Password").fill(PASSWORD)
    browser_page.get_by_role("button", name="Log in").click()
    browser_page.wait_for_url("**/admin/")
    return browser_page


def scrolls_sideways(page: Page) -> bool:
    """Whether the page or a part of it that is in sight is wider than its place."""
    return bool(
        page.evaluate(
            """() => [document.documentElement, ...document.querySelectorAll('body *')].some(element =>
                   ['auto', 'scroll'].includes(getComputedStyle(element).overflowX)
                   && element.offsetParent !== null && element.scrollWidth > element.clientWidth + 1
                   || element === document.documentElement && element.scrollWidth > innerWidth)"""
        )
    )


@contextmanager
def of_another_laptop(page: Page, **options: Any) -> Iterator[Page]:
    """A page of the same member of staff in a browser elsewhere."""
    assert page.context.browser
    make_searchable()
    context = page.context.browser.new_context(
        base_url=page.url, viewport=LAPTOP, storage_state=page.context.storage_state(), **options
    )
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


CONTRAST = """elements => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const lineage = element => element ? [...lineage(element.parentElement), element] : [];
    const linear = part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    function light(colors) {
        for (const color of colors) {
            canvas.fillStyle = color;
            canvas.fillRect(0, 0, 1, 1);
        }
        const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map(part => linear(part / 255));
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    }
    function contrast(element) {
        const ground = lineage(element).map(one => getComputedStyle(one).backgroundColor);
        const both = [light(['white', ...ground]), light([getComputedStyle(element).color])];
        return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    }
    const seen = elements.filter(element => element.offsetParent !== null);
    return seen.filter(element => contrast(element) < 4.5).map(element => element.innerText);
}"""


def hardly_legible(page: Page, selector: str) -> list[str]:
    """Texts whose contrast is below what WCAG 2.2 asks for (1.4.3: 4.5 to 1)."""
    found: list[str] = page.locator(selector).evaluate_all(CONTRAST)
    return found
