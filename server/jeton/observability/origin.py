"""The origin of what is being done: the request or command that log lines and audit records belong to."""

from contextvars import ContextVar
from typing import Final, NamedTuple


class Origin(NamedTuple):
    """Where a request comes from. `actor` is who acts if an event names no other actor; None: the server."""

    request_id: str | None = None
    address: str | None = None
    user_agent: str | None = None
    actor: str | None = None


NO_REQUEST: Final = Origin()

# Set for each request, and for each command that changes something. A thread has no context of its own: what a request
# starts in one has to be run in a copy of the request's.
current_origin: Final = ContextVar("current_origin", default=NO_REQUEST)
