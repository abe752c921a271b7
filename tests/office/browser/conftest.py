"""A real browser in front of a real server: Debian's Chromium, driven by Playwright.

It may speak to the live server only: it knows no other host, and asking for one fails the test.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.signals import request_started
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

from office.door.roles import Role, make_groups
from tests.support.searchable import make_searchable

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
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


@pytest.fixture(scope="package")
def laptop(browser: Browser, live_server: Any) -> Iterator[BrowserContext]:
    """One for all tests, so that styles and scripts are read once; `browser_page` leaves no trace in it."""
    context = browser.new_context(base_url=live_server.url, viewport=LAPTOP)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE)
    context.add_init_script(TELL_VIOLATIONS)
    yield context
    context.close()


@pytest.fixture
def searchable(live_server: Any) -> Iterator[None]:
    """The back office finds every payment at every request, as in life within two seconds."""

    def follow(environ: Any, **_: Any) -> None:
        if environ["PATH_INFO"].startswith("/admin/"):
            make_searchable()

    request_started.connect(follow)
    yield
    request_started.disconnect(follow)


@pytest.fixture
def browser_page(laptop: BrowserContext, live_server: Any, searchable: None) -> Iterator[Page]:
    """A new page on a small laptop. Asking anybody but the live server fails the test,
    and so does an error in a script, or what the page's Content-Security-Policy refuses."""
    strangers: list[str] = []
    errors: list[str] = []
    said: list[str] = []

    def notice(request: Request) -> None:
        if not request.url.startswith((live_server.url, "data:", "blob:")):
            strangers.append(request.url)

    def forget(request: Request) -> None:
        """What the page's policy has stopped: that is judged as such."""
        if request.url in strangers and "csp" in (request.failure or "").lower():
            strangers.remove(request.url)

    page = laptop.new_page()
    page.on("request", notice)
    page.on("requestfailed", forget)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: said.append(message.text))
    yield page
    kept = {"origin": live_server.url, "storageTypes": "cookies,local_storage"}
    laptop.new_cdp_session(page).send("Storage.clearDataForOrigin", kept)
    page.close()
    refused = [text for text in said if text.startswith(VIOLATION)]
    assert [text for text in refused if not text.startswith(REFUSED_ON_PURPOSE)] == []
    assert strangers == []
    assert errors == []


SignIn = Callable[[str, Role], Page]
AnotherLaptop = Callable[..., AbstractContextManager[Page]]


def let_in(page: Page, user: User, url: str) -> None:
    """As after the login, whose form `log_in` fills in."""
    client = Client()
    client.force_login(user)
    session = client.cookies["sessionid"].value
    page.context.clear_cookies()
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": url, "httpOnly": True}])


@pytest.fixture
def signed_in(browser_page: Page, transactional_db: None, live_server: Any) -> Page:
    """A member of staff who may see everything, before the first page."""
    let_in(browser_page, User.objects.create_superuser("ada", password=PASSWORD), live_server.url)
    return browser_page


@pytest.fixture
def sign_in(browser_page: Page, transactional_db: None, live_server: Any) -> SignIn:
    """Sign somebody in who belongs to a group; whoever was signed in before goes first."""

    def sign_in(name: str, role: Role) -> Page:
        make_groups()
        user, _ = User.objects.get_or_create(username=name, defaults={"is_staff": True})
        user.groups.add(Group.objects.get(name=role))
        let_in(browser_page, user, live_server.url)
        return browser_page

    return sign_in


@pytest.fixture
def another_laptop(browser_page: Page, live_server: Any) -> AnotherLaptop:
    """A page of the same member of staff in a browser elsewhere."""

    @contextmanager
    def another_laptop(**options: Any) -> Iterator[Page]:
        state = browser_page.context.storage_state()
        assert browser_page.context.browser
        context = browser_page.context.browser.new_context(
            base_url=live_server.url, viewport=LAPTOP, storage_state=state, **options
        )
        context.set_default_timeout(PATIENCE)
        yield context.new_page()
        context.close()

    return another_laptop


def log_in(page: Page) -> None:
    """By the form, as `ada`."""
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


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
