"""A server, an app and Chromium (Debian's, headless), for behaviour that only a browser shows."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from browser.sites import App, Site, add_app, add_user
from support.programs import find_program
from support.server_processes import server_process


@contextmanager
def launched_chromium(*arguments: str) -> Iterator[Browser]:
    """Start Chromium with these arguments."""
    program = os.environ.get("CHROMIUM") or find_program("chromium", "chromium")
    ours = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*ours, *arguments])
        yield browser
        browser.close()


# Not for the whole session: Playwright keeps an event loop in this thread, and other tests could not have their own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def module_page(chromium: Browser) -> Iterator[Page]:
    """The page that the tests of a module use in turn, because each new one costs as much as five that are opened."""
    with chromium.new_context(locale="en", device_scale_factor=2) as context:
        context.set_default_timeout(10_000)
        yield context.new_page()


@pytest.fixture
def page(module_page: Page) -> Iterator[Page]:
    """A page of a browser without cookies."""
    yield module_page
    module_page.unroute_all()
    module_page.context.clear_cookies()


@pytest.fixture(scope="module")
def app(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app whose callback redirects to another site, and the server that it uses."""
    folder = tmp_path_factory.mktemp("browser")
    settings = {"PAGES__SUPPORT": "help@example.com", "REGISTRATION__ALLOW_PRIVATE_ADDRESSES": "true"}
    with (
        Site().serving() as site,
        server_process(folder, module_sqlite_url, begin_only=False, **settings) as server,
    ):
        add_user(module_sqlite_url)
        yield add_app(module_sqlite_url, server.url, site)


@pytest.fixture(scope="session")
def axe(node_modules: Path) -> str:
    """The source of axe-core, which finds violations of WCAG."""
    return (node_modules / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
