"""Administration of initial access tokens, which let programs register clients (RFC 7591 section 3)."""

from typing import Any, Final

from sqlalchemy import Connection

from jeton.admin.errors import AdminError, NotFoundError
from jeton.crypto.credentials import digest_secret
from jeton.crypto.registration_credentials import generate_initial_access_token, generate_token_id
from jeton.oauth.audit_events import AuditEvent
from jeton.oauth.registration.initial_access_tokens import InitialAccessToken
from jeton.storage.audit_trail import record
from jeton.storage.initial_access_tokens import delete_initial_access_token, insert_initial_access_token

MAX_USES: Final = 10_000
MAX_SECONDS: Final = 366 * 86400
_MAX_NAME_CHARACTERS: Final = 100


def create(
    connection: Connection, now: int, *, max_uses: int, seconds: int, name: str | None
) -> tuple[InitialAccessToken, str]:
    """Store a token for this number of registrations within this number of seconds. Return it with the token itself.

    Raise AdminError if its name is not valid.
    """
    if name is not None and not (0 < len(name) <= _MAX_NAME_CHARACTERS and name.isprintable()):
        raise AdminError(f"the name of a token has 1 to {_MAX_NAME_CHARACTERS} printable characters")
    presented = generate_initial_access_token()
    token = InitialAccessToken(generate_token_id(), digest_secret(presented), name, now, now + seconds, max_uses)
    insert_initial_access_token(connection, token)
    record(connection, AuditEvent("registration_token_created", "created", target=token.token_id))
    return token, presented


def revoke(connection: Connection, token_id: str) -> None:
    """Delete the token. Clients that were registered with it stay. Raise NotFoundError if there is none."""
    if not delete_initial_access_token(connection, token_id):
        raise NotFoundError("registration token", token_id)
    record(connection, AuditEvent("registration_token_revoked", "revoked", target=token_id))


def describe(token: InitialAccessToken) -> dict[str, Any]:
    """Return what may be shown of a token, as JSON members."""
    return {
        "token_id": token.token_id,
        "name": token.name,
        "uses": token.uses,
        "max_uses": token.max_uses,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    }
