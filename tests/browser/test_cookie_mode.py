"""Cookie mode in real Chromium, by https: what stays signed in, and what a hostile script or page cannot do.

Jeton is at id.example.test. The apps are the examples: at app.example.test, and behind nginx, without any token, at
shop.example.test. evil.example.test is of the same site, other.test of another. Third-party cookies are blocked.
"""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from browser.conftest import launched_chromium
from browser.https_sites import APP, ISSUER, SHOP, SIBLING, STRANGER, Api, add_clients, https_sites
from browser.sites import USERNAME, add_user
from support.checkout import ROOT
from support.cli_runner import CommandLine
from support.in_process_server import PASSWORD
from support.lossy_proxy import LossyProxy, lossy_proxy
from support.server_processes import ServerProcess, environment, free_port

TABS: Final = 6
RENEWALS: Final = 30
_SESSION: Final = f"""(async () => {{
    const {{ cookieSession }} = await import('/client/app.js')
    globalThis.session = cookieSession({{ issuer: '{ISSUER}', client: {{ clientId: 'orders-cookie' }} }})
}})()"""


@dataclass(frozen=True)
class Sites:
    """A browser that resolves all host names, the commands of the server, and the reverse proxy."""

    browser: Browser
    run: CommandLine
    proxy: LossyProxy
    api: Api


@contextmanager
def proxy_in_thread(port: int, server_port: int) -> Iterator[LossyProxy]:
    """Serve a proxy that loses every third answer, in a thread: Playwright's loop is in this one."""
    started: list[LossyProxy] = []
    loop, ready, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with lossy_proxy(port, server_port) as proxy:
            started.append(proxy)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield started[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def sites(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    folder = tmp_path_factory.mktemp("https")
    variables = {"SERVER__ISSUER": ISSUER, "SERVER__TRUSTED_PROXIES": "127.0.0.1"}
    jeton = ServerProcess(free_port(), folder, environment(module_sqlite_url, **variables))
    add_user(module_sqlite_url)
    run = CommandLine(jeton.environment)
    add_clients(run)
    lossy, api = free_port(), Api(f"{jeton.url}/.well-known/jwks.json")
    with (
        jeton.serving(),
        proxy_in_thread(lossy, jeton.port) as proxy,
        api.serving() as api_port,
        https_sites(folder, jeton.port, lossy, api_port) as port,
        launched_chromium(
            f"--host-resolver-rules=MAP *:443 127.0.0.1:{port}", "--test-third-party-cookie-phaseout"
        ) as browser,
    ):
        yield Sites(browser, run, proxy, api)


@pytest.fixture
def context(sites: Sites) -> Iterator[BrowserContext]:
    with sites.browser.new_context(locale="en", ignore_https_errors=True) as context:
        context.set_default_timeout(15_000)
        yield context


def signed_in_page(context: BrowserContext, origin: str) -> Page:
    """Return the page of an app, after signing in by its button."""
    page = context.new_page()
    page.goto(origin)
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("User name").fill(USERNAME)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("three apples")).to_be_visible()
    return page


def refresh_cookie(context: BrowserContext, host: str) -> Any:
    (cookie,) = [it for it in context.cookies() if it["domain"] == host and "Http" in it["name"]]
    return cookie


@pytest.mark.requirement("BB07", "BB10", "BB11", "BB17", "BB19")
def test_reload_keeps_the_session_and_logout_in_one_tab_is_seen_in_the_other(context: BrowserContext) -> None:
    page = signed_in_page(context, APP)
    other = context.new_page()
    other.goto(APP)
    expect(other.get_by_text(f"Signed in as {USERNAME}")).to_be_visible()
    page.reload()
    expect(page.get_by_text("three apples")).to_be_visible()

    cookie = refresh_cookie(context, "id.example.test")
    assert cookie["name"].startswith("__Host-Http-jeton-")
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"], cookie["path"]) == (True, True, "Strict", "/")

    page.get_by_role("button", name="Log out").click()
    expect(other.get_by_role("button", name="Log in")).to_be_visible(timeout=1000)
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    other.reload()
    expect(other.get_by_role("button", name="Log in")).to_be_visible()
    assert not [it for it in context.cookies() if "Http" in it["name"]]


# What a hostile script in the page can read: answers, storages, cookies, and the objects of the client library.
_SPY: Final = """
    globalThis.heard = []
    const original = globalThis.fetch
    globalThis.fetch = async (...request) => {
        globalThis.heard.push(JSON.stringify(request[1] ?? {}))
        const response = await original(...request)
        globalThis.heard.push(JSON.stringify([...response.headers]), await response.clone().text())
        return response
    }
"""
_LOOT: Final = """async () => {
    const stored = []
    for (const { name } of await indexedDB.databases()) {
        const database = await new Promise((done) => (indexedDB.open(name).onsuccess = (it) => done(it.target.result)))
        for (const store of database.objectStoreNames) {
            const all = database.transaction(store).objectStore(store).getAll()
            stored.push(await new Promise((done) => (all.onsuccess = () => done(all.result))))
        }
    }
    const seen = new Set()
    const inside = (it) => {
        if (typeof it === 'string') return [it]
        if (Object(it) !== it || seen.has(it)) return []
        seen.add(it)
        return Reflect.ownKeys(it).concat(Reflect.ownKeys(Object.getPrototypeOf(it) ?? {}))
            .flatMap((key) => { try { return inside(it[key]) } catch { return [] } })
    }
    const texts = [...inside(globalThis.session), document.cookie, ...globalThis.heard]
    return JSON.stringify([texts, stored, { ...localStorage }, { ...sessionStorage }])
}"""


@pytest.mark.requirement("BB08", "BB10", "BB16")
@pytest.mark.parametrize("origin", [APP, SHOP])
def test_hostile_script_in_the_page_finds_no_refresh_token(context: BrowserContext, origin: str) -> None:
    context.add_init_script(_SPY)
    page = signed_in_page(context, origin)
    if origin == APP:
        page.evaluate(_SESSION)
        token = page.evaluate("session.accessToken()")
        assert page.evaluate("session.renew(session_token)".replace("session_token", repr(token))) != token

    loot = page.evaluate(_LOOT)

    secret = refresh_cookie(context, origin.replace(APP, ISSUER).removeprefix("https://"))["value"]
    assert secret.startswith("jrt_")
    assert "jrt_" not in loot
    assert "refresh_token" in loot
    # Behind nginx the page has no token at all: three base64url parts, of which the first is a JSON object.
    assert ("eyJ" in loot) is (origin == APP)


_ATTACK: Final = """async ([issuer, path, mode, headers]) => {
    const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'orders-cookie' })
    const method = path.endsWith('/session') ? 'GET' : 'POST'
    const url = method === 'GET' ? `${issuer}${path}?client_id=orders-cookie` : `${issuer}${path}`
    const request = { method, mode, headers, credentials: 'include', ...(method === 'POST' && { body }) }
    try {
        const response = await fetch(url, request)
        return response.type === 'opaque' ? 'opaque' : `${response.status} ${await response.text()}`
    } catch (error) {
        return String(error)
    }
}"""


@pytest.mark.requirement("BB06", "BB13", "BB14", "BB18")
def test_another_page_can_neither_refresh_nor_log_out(context: BrowserContext) -> None:
    page = signed_in_page(context, APP)
    before = refresh_cookie(context, "id.example.test")["value"]
    hostile = context.new_page()

    paths = ("/oauth/token", "/oauth/revoke", "/oauth/session", "/oauth/session/logout")
    for attacker, path in product((SIBLING, STRANGER), paths):
        hostile.goto(attacker)
        # The header makes the browser ask first, and the sibling's origin may (it has a client of its own): then the
        # request itself is refused, and the page may not read the answer.
        assert "access_token" not in (found := hostile.evaluate(_ATTACK, [ISSUER, path, "cors", {"X-Jeton": "1"}]))
        assert "Failed to fetch" in found
        assert hostile.evaluate(_ATTACK, [ISSUER, path, "no-cors", {}]) in ("opaque", "TypeError: Failed to fetch")
        hostile.evaluate(
            """([url]) => {
                const form = Object.assign(document.createElement('form'), { method: 'post', action: url })
                form.innerHTML = '<input name=client_id value=orders-cookie><input name=grant_type value=refresh_token>'
                document.body.append(form)
                form.submit()
            }""",
            [f"{ISSUER}{path}"],
        )
        hostile.wait_for_url(f"{ISSUER}{path}")

    assert refresh_cookie(context, "id.example.test")["value"] == before
    page.reload()
    expect(page.get_by_text("three apples")).to_be_visible()


def test_six_tabs_stay_signed_in_though_every_third_answer_is_lost(sites: Sites, context: BrowserContext) -> None:
    pages = [signed_in_page(context, APP)]
    pages += [context.new_page() for _ in range(TABS - 1)]
    for page in pages:
        page.goto(APP)
        page.evaluate(_SESSION)
    before = sites.proxy.lost
    renewed = """async ([previous, rounds]) => {
        const lost = (error) => { if (error.name !== 'ServerUnavailableError') throw error; return previous }
        for (let token = previous; rounds > 0; rounds -= 1) {
            do { token = await session.renew(previous).catch(lost) } while (token === previous)
            previous = token
        }
        return previous
    }"""

    def rotations() -> int:
        return int(sum(it["refreshes"] for it in sites.run.json("session", "list")))

    at_first, token = rotations(), pages[0].evaluate("session.accessToken()")
    for round_ in range(RENEWALS // 10):
        # All tabs concurrently, then one tab nine times.
        for page in pages:
            page.evaluate("(token) => { globalThis.renewal = session.renew(token); renewal.catch(() => {}) }", token)
        tokens = {page.evaluate("renewal") for page in pages}
        assert len(tokens) == 1
        token = pages[round_ % TABS].evaluate(renewed, [tokens.pop(), 9])

    assert rotations() - at_first >= RENEWALS
    assert sites.proxy.lost - before >= RENEWALS // 3
    assert len(sites.run.json("session", "list", "--client", "orders-cookie")) >= 1
    for page in pages:
        page.reload()
        expect(page.get_by_text("three apples")).to_be_visible()


@pytest.mark.requirement("BB08", "BB15")
def test_behind_nginx_the_api_gets_the_token_and_the_page_has_none(sites: Sites, context: BrowserContext) -> None:
    page = signed_in_page(context, SHOP)
    page.reload()
    expect(page.get_by_text("three apples")).to_be_visible()
    ask = """async (headers) => (await fetch('/api/orders', { headers })).status"""

    statuses = {
        "page": page.evaluate(ask, {"X-Jeton": "1"}),
        "made up": page.evaluate(ask, {"X-Jeton": "1", "Authorization": "Bearer made.up.token"}),
        "without header": page.evaluate(ask, {}),
        "made up without header": page.evaluate(ask, {"Authorization": "Bearer made.up.token"}),
    }
    navigated = page.goto(f"{SHOP}/api/orders")

    assert statuses == {"page": 200, "made up": 200, "without header": 401, "made up without header": 401}
    assert navigated is not None
    assert navigated.status == 401
    assert not [it for it in sites.api.received if "jrt_" in str(it) or "made.up" in str(it)]
    hostile = context.new_page()
    hostile.goto(SIBLING)
    assert "Failed to fetch" in hostile.evaluate(
        "() => fetch('https://shop.example.test/api/orders', { headers: { 'X-Jeton': '1' }, credentials: 'include' })"
        ".then(String, String)"
    )


@pytest.fixture(scope="module", autouse=True)
def _client_library() -> None:
    """Serve the built client library in the pages."""
    if not (ROOT / "clients" / "typescript" / "dist" / "app.js").exists():
        if os.environ.get("CI"):
            raise FileNotFoundError("clients/typescript/dist: run `make test-typescript` first")
        pytest.skip("NOT RUN IN A BROWSER: the TypeScript client is not built (make test-typescript)")
