"""Cross-origin requests (Fetch standard): which pages may send requests and read the responses.

With cookies only pages of clients in cookie mode, at the paths of that mode.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

from starlette.types import Scope

from jeton.endpoints.messages import Empty
from jeton.frozen import Frozen
from jeton.http.responses import Header, Rendered, render

MAX_REQUESTED_HEADERS_BYTES: Final = 2048
# Of a header's name the token characters of RFC 9110 section 5.6.2; of the list the commas and spaces of 5.6.1.
_HEADER_NAMES: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+([ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
_VARY_ORIGIN: Final[Header] = (b"vary", b"Origin")
_VARY_PREFLIGHT: Final[Header] = (
    b"vary",
    b"Origin, Access-Control-Request-Headers, Access-Control-Request-Private-Network",
)
_EXPOSED: Final[Header] = (
    b"access-control-expose-headers",
    b"Age, Allow, Date, DPoP-Nonce, ETag, Retry-After, WWW-Authenticate",
)
_CREDENTIALS: Final[Header] = (b"access-control-allow-credentials", b"true")
# The longest time for which Chromium caches the response to a preflight.
_MAX_AGE: Final[Header] = (b"access-control-max-age", b"7200")

# For responses that hold nothing secret and do not depend on the caller: any page may read them.
ANY_ORIGIN: Final[tuple[Header, ...]] = ((b"access-control-allow-origin", b"*"), _EXPOSED)


class Preflight(Frozen):
    """The request by which a browser learns whether a page may send its request."""

    origin: bytes
    headers: bytes
    private_network: bool


def parse_preflight(scope: Scope) -> Preflight | None:
    """Return the preflight that this request is, or None if it is another request."""
    if scope["method"] != "OPTIONS":
        return None
    fields = dict(scope["headers"])
    if b"origin" not in fields:
        return None
    requested = b",".join(value for name, value in scope["headers"] if name == b"access-control-request-headers")
    return Preflight(
        fields[b"origin"], requested.strip(b" \t"), fields.get(b"access-control-request-private-network") == b"true"
    )


def allow_registered_origin(
    origin: str | None, registered: Collection[str] | None, with_cookies: Collection[str] = ()
) -> tuple[Header, ...]:
    """Return the headers that let a page of a registered origin read the response; a page of another origin cannot.

    With `registered` None, pages of any origin can. Pages of the origins `with_cookies` may have sent cookies with the
    request.
    """
    if origin is None or (registered is not None and origin not in registered):
        return (_VARY_ORIGIN,)
    allowed = (_VARY_ORIGIN, (b"access-control-allow-origin", origin.encode("latin-1")), _EXPOSED)
    return (*allowed, _CREDENTIALS) if origin in with_cookies else allowed


def answer_options(
    preflight: Preflight | None,
    methods: Iterable[str],
    registered: Collection[str] | None,
    with_cookies: Collection[str] = (),
) -> Rendered:
    """Return the response to OPTIONS; with `registered` None, pages of any origin may send the request.

    Pages of the origins `with_cookies` may send cookies with it.

    The status is 204 for every origin: without the headers, the browser itself refuses. Requested headers are all
    allowed, because none of them gives a page more than any other program has, and pages are instrumented by libraries
    that add their own (`traceparent`, `sentry-trace`). They are listed, as `*` would not cover `Authorization`.
    """
    allow = (b"allow", ", ".join(methods).encode())
    if preflight is None:
        return render(Empty()).with_headers(_VARY_PREFLIGHT, allow)
    if registered is not None and preflight.origin.decode("latin-1") not in registered:
        return render(Empty()).with_headers(_VARY_PREFLIGHT, allow)
    sent = ", ".join(method for method in methods if method != "OPTIONS").encode()
    with_credentials = preflight.origin.decode("latin-1") in with_cookies
    headers: list[Header] = [
        _VARY_PREFLIGHT,
        (b"access-control-allow-origin", b"*" if registered is None and not with_credentials else preflight.origin),
        (b"access-control-allow-methods", sent),
        _MAX_AGE,
        allow,
    ]
    if len(preflight.headers) <= MAX_REQUESTED_HEADERS_BYTES and _HEADER_NAMES.fullmatch(preflight.headers):
        headers.append((b"access-control-allow-headers", preflight.headers))
    if with_credentials:
        headers.append(_CREDENTIALS)
    if preflight.private_network:
        headers.append((b"access-control-allow-private-network", b"true"))
    return render(Empty()).with_headers(*headers)
