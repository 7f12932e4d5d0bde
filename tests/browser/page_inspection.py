"""Inspection of pages: accessible, as wide as a phone, small, and as large as their pictures in the documentation."""

import os
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.sync_api import Page, ViewportSize

from support.checkout import ROOT

_PICTURES: Final = ROOT / "docs" / "pages"
_NARROW: Final = ViewportSize(width=320, height=640)
_OF_PICTURES: Final = ViewportSize(width=390, height=520)


@dataclass(frozen=True)
class PageInspector:
    """Inspects each page that `page` arrives at. `axe` is the source of axe-core."""

    page: Page
    axe: str
    found: dict[str, Any] = field(default_factory=dict)

    def inspect(self, name: str) -> None:
        """Record under this name what the current page is like."""
        self.page.set_viewport_size(_NARROW)
        self._evaluate(self.axe)
        # The colour scheme changes nothing but colours.
        violations = [
            self._violations("light", "{}"),
            self._violations("dark", "{ runOnly: ['color-contrast', 'link-in-text-block'] }"),
        ]
        self.page.emulate_media(color_scheme="light")
        width, stylesheets = self.page.evaluate(
            "[document.documentElement.scrollWidth,"
            " performance.getEntriesByType('resource').filter(it => it.name.endsWith('.css')).length]"
        )
        self.found[name] = (violations, width <= _NARROW["width"], len(self.page.content()) < 50_000, stylesheets)

    def assert_flawless(self) -> None:
        assert self.found == dict.fromkeys(self.found, (["[]", "[]"], True, True, 1))

    def _violations(self, scheme: Any, options: str) -> Any:
        self.page.emulate_media(color_scheme=scheme)
        run = f"axe.run({options}).then(it => JSON.stringify(it.violations))"
        return self._evaluate(run)

    def _evaluate(self, script: str) -> Any:
        """Run a script that the page's content security policy, which lets only our own files run, would refuse."""
        session = self.page.context.new_cdp_session(self.page)
        done = session.send("Runtime.evaluate", {"expression": script, "awaitPromise": True})
        session.detach()
        return done["result"].get("value")


def assert_as_pictured(page: Page, name: str) -> None:
    """Check that the picture of this name has the size of the current page, or take a new one."""
    file = _PICTURES / f"{name}.png"
    # As wide as a phone; the context has two pixels in place of one.
    page.set_viewport_size(_OF_PICTURES)
    taken = page.screenshot(full_page=True)
    if "TAKE_PICTURES" in os.environ:
        file.write_bytes(taken)
    assert _png_size(taken) == _png_size(file.read_bytes()), "`make pictures` takes new pictures"


def _png_size(image: bytes) -> bytes:
    """Return width and height as they are encoded (PNG specification, section 11.2.1)."""
    return image[16:24]
