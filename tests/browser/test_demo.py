"""`jeton serve --demo` prints an address: signing in there ends at an app that shows the tokens."""

import re
from pathlib import Path

from playwright.sync_api import BrowserContext, expect

from support.server_processes import server_process


def test_demo_app_shows_the_tokens_of_the_signed_in_user(context: BrowserContext, tmp_path: Path) -> None:
    with server_process(tmp_path, f"sqlite:///{tmp_path}/jeton.db", "--demo") as server:
        printed = server.log
        (url,) = re.findall(r"Open (\S+) in a browser", printed)
        (password,) = re.findall(r"demo +password +(\S+)", printed)
        page = context.new_page()
        page.goto(url)
        page.get_by_label("User name").fill("demo")
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("button", name="Allow", exact=True).click()
        expect(page.get_by_text("You are signed in. The demo app received:")).to_be_visible()
        expect(page.get_by_text('"refresh_token": "jrt_')).to_be_visible()
