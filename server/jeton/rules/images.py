"""Images that browsers show safely, recognized by their first bytes. SVG is not one of them: it can hold scripts."""

from typing import Final

MAX_LOGO_BYTES: Final = 64 * 1024
_SIGNATURES: Final = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


def image_type(content: bytes) -> str | None:
    """Return the media type of a PNG, JPEG or WebP image, or None for anything else."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for signature, kind in _SIGNATURES if content.startswith(signature)), None)
