"""Cross-origin requests (Fetch standard): browser apps may use most endpoints, without cookies."""

from collections.abc import Collection, Sequence
from typing import Final

from jeton.http.answers import Header, Rendered

VARY: Final[Header] = (b"vary", b"Origin")
_EXPOSED: Final[Header] = (b"access-control-expose-headers", b"Retry-After, WWW-Authenticate")
_PREFLIGHT: Final = (
    (b"access-control-allow-headers", b"Authorization, Content-Type, Idempotency-Key"),
    (b"access-control-max-age", b"600"),
)


def allow_origin(origin: str | None, registered: Collection[str]) -> tuple[Header, ...]:
    """The headers that let a page of a registered origin read the answer; none for any other."""
    if origin is None or origin not in registered:
        return (VARY,)
    return (VARY, (b"access-control-allow-origin", origin.encode("latin-1")), _EXPOSED)


def answer_preflight(origin: str | None, registered: Collection[str], methods: Sequence[str]) -> Rendered:
    """204 either way: without the headers the browser refuses by itself. `methods` are those of the path."""
    allowed = allow_origin(origin, registered)
    words = ", ".join(method for method in methods if method != "OPTIONS").encode()
    permitted = ((b"access-control-allow-methods", words), *_PREFLIGHT) if len(allowed) > 1 else ()
    return Rendered(204, (*allowed, *permitted, (b"allow", ", ".join(methods).encode())))
