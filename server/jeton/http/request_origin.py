"""Where a request comes from, and its identifier: for the log, the audit trail and error pages."""

import re
from typing import Final

from starlette.types import Scope

from jeton.crypto.credentials import generate_reference
from jeton.http.request_parsing import MAX_USER_AGENT, address_of
from jeton.observability.origin import Origin

# What proxies commonly make, and nothing that a log or page would have to escape.
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")


def request_origin(scope: Scope) -> Origin:
    """Return the origin of a request. Its identifier is that of `X-Request-Id`, if it is well-formed, or a new one."""
    request_id = user_agent = None
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            request_id = value.decode()
        elif name == b"user-agent":
            user_agent = value[:MAX_USER_AGENT].decode("latin-1")
    return Origin(request_id or generate_reference(), address_of(scope), user_agent)
