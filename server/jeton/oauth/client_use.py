"""When a client was last used, for those that are deleted when they are not (RFC 7591 section 5)."""

from typing import Final

from jeton.oauth.clients import Client
from jeton.oauth.writes import RecordClientUse

# How exactly the last use of a client is known.
USE_SECONDS: Final = 86400


def use_to_record(client: Client, now: int) -> tuple[RecordClientUse, ...]:
    """Return what to write when a code or token is issued to the client: the first time, then at most once a day."""
    if client.last_used_at is None:
        return ()
    is_first = client.last_used_at == client.created_at
    is_due = now - client.last_used_at >= USE_SECONDS
    return (RecordClientUse(client.client_id, now),) if is_first or is_due else ()
