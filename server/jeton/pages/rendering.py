"""Rendering of pages to HTML (Jinja2, everything escaped, an unknown name is an error)."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined

from jeton.pages.assets import Asset, build_assets
from jeton.pages.branding import Branding
from jeton.pages.catalogues import SOURCE_LANGUAGE, Catalogue, load_catalogues
from jeton.pages.content import SCOPE_TEXTS, PageContent, ScopeItem
from jeton.pages.devices import device_name
from jeton.pages.languages import choose_language


class PageRenderer:
    """Renders pages in the languages that there are catalogues for.

    `templates` is a folder whose templates replace the built-in ones of the same name.
    """

    def __init__(self, issuer: str, branding: Branding, templates: str = "") -> None:
        self.issuer = issuer
        self.base = urlsplit(issuer).path.rstrip("/")
        self.assets: Mapping[str, Asset] = build_assets(branding)
        self._catalogues = load_catalogues()
        built_in: BaseLoader = PackageLoader("jeton.pages")
        loader = ChoiceLoader([FileSystemLoader(templates), built_in]) if templates else built_in
        self._environment = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._environment.globals |= {
            "base": self.base,
            "brand": branding,
            "host": urlsplit(issuer).netloc,
            "style": self.base + self.assets["style.css"].path,
            "script": self.base + self.assets["pages.js"].path,
            "device": device_name,
        }

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The tags of the languages."""
        return tuple(self._catalogues)

    def render(self, content: PageContent, ui_locales: Iterable[str], accept_language: str) -> tuple[str, bytes]:
        """Return the language chosen, and the page in UTF-8."""
        catalogue = self._catalogues[choose_language(self._catalogues, ui_locales, accept_language)]
        html = self._environment.get_template(content.template).render(page=content, **_helpers(catalogue))
        return catalogue.language, html.encode()


def _helpers(catalogue: Catalogue) -> Mapping[str, Any]:
    """Return what depends on the language, by the names that templates use."""
    translate = catalogue.translate

    def at(seconds: int) -> str:
        return datetime.fromtimestamp(seconds, UTC).strftime(translate("%d %b %Y, %H:%M UTC"))

    def describe(item: ScopeItem) -> str:
        """Return the operator's words in this language, else in English, else ours, else the name itself."""
        words = item.descriptions
        return (
            words.get(catalogue.language)
            or words.get(SOURCE_LANGUAGE)
            or translate(SCOPE_TEXTS.get(item.name, item.name))
        )

    return {
        "_": translate,
        "language": catalogue.language,
        "direction": catalogue.direction,
        "at": at,
        "describe": describe,
    }
