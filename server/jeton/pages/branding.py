"""How the operator's pages look: name, logo, colour and links."""

import base64
from pathlib import Path
from typing import Final

from jeton.frozen import Frozen
from jeton.rules.images import MAX_LOGO_BYTES, image_type

_DEFAULT_ACCENT: Final = "#2457c5"


class BrandingError(Exception):
    """A setting of `pages` cannot be used. The text says why."""


class Branding(Frozen):
    """The settings of section `pages`. `logo` is a `data:` URI; `accent` is `#rrggbb`. Empty: not set."""

    name: str = "Jeton"
    logo: str = ""
    accent: str = _DEFAULT_ACCENT
    terms_uri: str = ""
    privacy_uri: str = ""
    support: str = ""

    @property
    def support_uri(self) -> str:
        """Where the support is: an address of the web as it is, an e-mail address with its scheme; else empty."""
        if self.support.startswith(("https://", "http://", "mailto:", "tel:")):
            return self.support
        return f"mailto:{self.support}" if "@" in self.support and " " not in self.support else ""

    @property
    def on_accent(self) -> str:
        """Black or white, whichever has the higher contrast on the accent colour (WCAG 2.2, 1.4.3)."""
        luminance = _luminance(self.accent)
        return "#ffffff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 else "#000000"


def image_uri(content: bytes) -> str:
    """Return the image as a `data:` URI. Raise BrandingError if it is too large, or no PNG, JPEG or WebP."""
    media_type = image_type(content)
    if media_type is None or len(content) > MAX_LOGO_BYTES:
        raise BrandingError(f"a logo must be a PNG, JPEG or WebP image of at most {MAX_LOGO_BYTES // 1024} KiB")
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def read_logo(path: str) -> str:
    """Return the image of this file as a `data:` URI. Raise BrandingError if that is not possible."""
    try:
        with Path(path).open("rb") as file:
            return image_uri(file.read(MAX_LOGO_BYTES + 1))
    except OSError as error:
        raise BrandingError(f"the logo {path} cannot be read: {error.strerror}") from None


def _luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb` (WCAG 2.2, definitions)."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (it / 12.92 if it <= 0.04045 else ((it + 0.055) / 1.055) ** 2.4 for it in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
