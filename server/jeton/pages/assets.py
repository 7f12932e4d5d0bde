"""Files of the pages: stylesheet and script. Their names hold a digest, so that browsers may keep them for a year."""

import hashlib
from collections.abc import Mapping
from importlib.resources import files

from jeton.frozen import Frozen, Hidden
from jeton.pages.branding import Branding


class Asset(Frozen):
    """A file: `path` is below the issuer, and contains the digest of the content."""

    path: str
    media_type: str
    body: Hidden[bytes]
    digest: str


def build_assets(branding: Branding) -> Mapping[str, Asset]:
    """Return the files by the name that templates use."""
    colours = f":root{{--accent:{branding.accent};--on-accent:{branding.on_accent}}}\n"
    return {
        "style.css": _asset("style", "css", "text/css; charset=utf-8", _read("style.css") + colours),
        "pages.js": _asset("pages", "js", "text/javascript; charset=utf-8", _read("pages.js")),
    }


def _read(name: str) -> str:
    return (files("jeton.pages") / "static" / name).read_text("utf-8")


def _asset(name: str, extension: str, media_type: str, text: str) -> Asset:
    body = text.encode()
    digest = hashlib.sha256(body).hexdigest()[:16]
    return Asset(f"/pages/{name}.{digest}.{extension}", media_type, body, digest)
