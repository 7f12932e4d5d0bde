"""Identifiers in tokens (`sub`, `client_id`), each assigned once (OpenID Connect Core 2, RFC 9700 section 4.15).

Users and clients share one table of digests, whose rows outlive them, because services may still know a user by an
identifier that this server has deleted. The primary key decides between two commands that run at the same time.
"""

import hashlib
from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, delete, select, text

from jeton.oauth.clients import DYNAMIC_CLIENT_ID_PREFIX
from jeton.storage.tables import issued_identifiers

_CLAIM: Final = text("INSERT INTO issued_identifiers (digest) VALUES (:digest) ON CONFLICT DO NOTHING")
# The URL of a metadata document identifies its owner, and the id of a client that registered itself is random, or a
# digest of its metadata: another client cannot get one of these by mistake.
_NAME_ONE_CLIENT: Final = ("https://", DYNAMIC_CLIENT_ID_PREFIX)


class IdentifierUsedError(Exception):
    """A user or a client has, or had, this identifier."""


def identifier_digest(identifier: str) -> bytes:
    return hashlib.sha256(identifier.encode()).digest()


def claim_identifier(connection: Connection, identifier: str) -> None:
    """Assign the identifier. Raise IdentifierUsedError if it was assigned to a user or a client before."""
    if connection.execute(_CLAIM, {"digest": identifier_digest(identifier)}).rowcount == 0:
        raise IdentifierUsedError(
            f"the identifier {identifier} belongs or belonged to a user or client: it is never given out again,"
            " because services may still know the earlier one by it"
        )


def used_identifiers(connection: Connection, identifiers: Collection[str]) -> set[str]:
    """Return those identifiers that were ever assigned."""
    by_digest = {identifier_digest(it): it for it in identifiers}
    found = connection.scalars(select(issued_identifiers.c.digest).where(issued_identifiers.c.digest.in_(by_digest)))
    return {by_digest[bytes(digest)] for digest in found}


def release_client_id(connection: Connection, client_id: str) -> None:
    """Let the identifier of a deleted client be used again if it cannot name another client; keep all others."""
    if client_id.startswith(_NAME_ONE_CLIENT):
        digest = identifier_digest(client_id)
        connection.execute(delete(issued_identifiers).where(issued_identifiers.c.digest == digest))
