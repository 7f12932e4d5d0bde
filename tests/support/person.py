"""A person who signs in on the pages and consents, for programs that send people to the server."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

import httpx2

from support.browsing import Browser
from support.remote_server import RemoteRequest, response, threaded_server

# It opens the URL, and then the redirect URI, where the client may not listen yet.
_BROWSER: Final = """#!/bin/sh
{{
    answer=$(curl -fsG "{person_url}" --data-urlencode "url=$1")
    curl -fs --retry 50 --retry-delay 0 --retry-connrefused "$answer"
}} > /dev/null 2>&1 &
"""
_SIGN_IN: Final = "/sign-in"
_CONSENT: Final = "/consent"


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the server. Each authorization takes place in a browser without cookies."""

    issuer: str
    username: str
    password: str = field(repr=False)

    async def authorize(self, url: str, decision: str = "allow") -> str:
        """Open an authorization URL. Return the URL at which the client receives the answer."""
        async with httpx2.AsyncClient(base_url=self.issuer) as http:
            browser = Browser(http, self.issuer)
            await browser.get(url)
            if browser.path == _SIGN_IN:
                await browser.sign_in(self.username, self.password)
            if browser.path == _CONSENT:
                await browser.decide(decision)
            assert browser.page.status_code == 303, browser.page.text
            return browser.page.headers["location"]

    def authorize_blocking(self, url: str, decision: str = "allow") -> str:
        """Do the same from code without an event loop."""
        return asyncio.run(self.authorize(url, decision))

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve `authorize` to programs in other languages. Yield the URL to which they add `url` and `decision`."""

        async def respond(request: RemoteRequest) -> bytes:
            return response(body=(await self.authorize(**dict(parse_qsl(request.url.query)))).encode())

        with threaded_server(respond) as server:
            yield f"http://127.0.0.1:{server.port}/"


def browser_program(folder: Path, person_url: str) -> Path:
    """Write the program that apps start for the person at this URL, by the variable BROWSER."""
    program = folder / "browser"
    program.write_text(_BROWSER.format(person_url=person_url))
    program.chmod(0o700)
    return program
