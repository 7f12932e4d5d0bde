"""Administration of clients (RFC 6749 section 2): registration, secrets, disabling, deletion."""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from jeton.admin.client_changes import ClientChanges, apply_changes, save_changes
from jeton.admin.client_keys import without_useless_secret
from jeton.admin.errors import AdminError, AlreadyExistsError, NotFoundError
from jeton.config.settings import MAX_ACCESS_SECONDS
from jeton.crypto.credentials import digest_secret, generate_client_secret
from jeton.frozen import Frozen, replace
from jeton.oauth.audit_events import AuditEvent
from jeton.oauth.authorization.authorization_request import GRANT_TYPE
from jeton.oauth.clients import ADMINISTRATOR, DYNAMIC, KEY_METHODS, METADATA_DOCUMENT, SECRET_METHODS, Client
from jeton.oauth.registration.client_metadata import REGISTRABLE_GRANT_TYPES
from jeton.oauth.registration.metadata_document_urls import is_document_url
from jeton.oauth.registration.registration_rules import check_client_id
from jeton.oauth.token_status_list import revoked_client_status
from jeton.rules.images import MAX_LOGO_BYTES, image_type
from jeton.storage.audit_trail import record
from jeton.storage.clients import (
    delete_client,
    insert_client,
    load_clients,
    lock_client,
    update_client,
    update_logo,
)
from jeton.storage.family_ends import delete_family_statuses, end_families, insert_family_statuses
from jeton.storage.revoked_statuses import delete_revoked_statuses, insert_revoked_statuses
from jeton.storage.status_index_allocator import allocate_status_indexes
from jeton.storage.users import load_users

# Of a client that registered itself, the ceiling of the settings decides about these, at each registration again.
_UNDER_CEILING: Final = frozenset({"scope", "default_scope", "resources", "audience"})


class RotatedSecret(Frozen):
    """A new client secret, and what becomes of the older ones.

    `old_secret_until` is when the previous secret stops working, in seconds since the epoch; None: at once.
    `older_secret_ended` says that a secret older than that was still valid until now.
    """

    client_secret: str
    old_secret_until: int | None
    older_secret_ended: bool


def register(connection: Connection, now: int, client_id: str, changes: ClientChanges) -> tuple[Client, str | None]:
    """Insert a client. Return it with its secret, which is stored as a digest only.

    Public clients, and those that authenticate by a key, have none.

    The URL of a metadata document that has no redirect URIs here stands for the client that the document describes: it
    has no secret, and may use the authorization code grant unless `changes` name others.

    Raise AlreadyExistsError if the client_id is taken, RegistrationError if the client would not work or be unsafe,
    IdentifierUsedError if the client_id belonged to a client or user before.
    """
    _check_unused(connection, client_id)
    if is_document_url(client_id) and not changes.get("redirect_uris"):
        changes = {"grant_types": frozenset(REGISTRABLE_GRANT_TYPES), **changes}
        if GRANT_TYPE in changes["grant_types"]:
            changes["public"] = True
    is_public = changes.get("public", False)
    methods = changes.get("auth_methods", frozenset() if is_public else frozenset(SECRET_METHODS))
    secret = None if is_public or methods & set(KEY_METHODS) else generate_client_secret()
    client = apply_changes(
        connection,
        Client(
            client_id,
            is_public,
            now,
            auth_methods=methods,
            secret_digest=None if secret is None else digest_secret(secret),
            status_index=allocate_status_indexes(connection, 1)[0],
        ),
        changes,
    )
    try:
        insert_client(connection, client)
    except IntegrityError:
        # Another transaction has inserted it since it was looked up.
        raise _already_exists(client_id) from None
    record(connection, AuditEvent("client_added", "added", client_id=client_id))
    return client, secret


def change(
    connection: Connection, now: int, client_id: str, changes: ClientChanges, *, cleared: Collection[str] = ()
) -> Client:
    """Update a client: first reset the fields named in `cleared` to their defaults, then apply `changes`.

    Sessions for a resource or an audience that the client loses end. Raise NotFoundError if there is no such client,
    RegistrationError or AdminError if it would not work or be unsafe.
    """
    before = _lock(connection, client_id)
    if changes.get("public", before.public) != before.public:
        kind = "is public" if before.public else "has a secret"
        raise AdminError(f"{client_id} {kind}, and that cannot change: add a client with another client_id")
    if before.registration == DYNAMIC and not _UNDER_CEILING.isdisjoint({*changes, *cleared}):
        raise AdminError(
            f"{client_id} registered itself: its scope and resources follow registration.scopes and the open resources,"
            " not what is set here. Disable it, and add a client of your own in its place"
        )
    default = Client(client_id, before.public, before.created_at)
    reset: dict[str, Any] = {name: getattr(default, name) for name in cleared}
    if before.registration == METADATA_DOCUMENT:
        # From now on it has what it is given here, and not what its document asks for.
        reset["registration"] = ADMINISTRATOR
    after = without_useless_secret(apply_changes(connection, replace(before, **reset), changes))
    save_changes(connection, before, after)
    for audience in {*before.resources, *before.audience} - {*after.resources, *after.audience}:
        end_families(connection, now, "resource_removed", client_id=client_id, audience=audience)
    return after


def set_logo(connection: Connection, client_id: str, logo: bytes | None) -> Client:
    """Store the logo that people see, or remove it. Raise AdminError if it is no image that browsers show safely."""
    client = _lock(connection, client_id)
    logo_type = None if logo is None else image_type(logo)
    if logo is not None and (logo_type is None or len(logo) > MAX_LOGO_BYTES):
        raise AdminError(f"a logo is a PNG, JPEG or WebP image of at most {MAX_LOGO_BYTES // 1024} KiB")
    update_logo(connection, client_id, logo, logo_type)
    record(connection, AuditEvent("client_changed", "logo", client_id=client_id))
    return replace(client, logo_type=logo_type)


def rotate_secret(connection: Connection, now: int, client_id: str, overlap_seconds: int) -> RotatedSecret:
    """Store a new secret. The current one stays valid for `overlap_seconds`; an older one ends now.

    Raise NotFoundError if there is no such client, AdminError if it is public.
    """
    client = _lock(connection, client_id)
    if client.public or client.auth_methods & set(KEY_METHODS):
        kind = "is a public client" if client.public else "authenticates by a key"
        raise AdminError(f"{client_id} {kind}: it has no secret")
    secret = generate_client_secret()
    until = now + overlap_seconds if overlap_seconds else None
    update_client(
        connection,
        client_id,
        secret_digest=digest_secret(secret),
        previous_secret_digest=client.secret_digest if until else None,
        previous_secret_expires_at=until,
    )
    record(connection, AuditEvent("client_secret_rotated", "rotated", client_id=client_id))
    return RotatedSecret(secret, until, older_secret_ended=len(client.secret_digests(now)) > 1)


def disable(connection: Connection, now: int, client_id: str) -> None:
    """Refuse the client and its tokens. Its sessions continue when it is enabled again."""
    client = _lock(connection, client_id)
    update_client(connection, client_id, disabled=True)
    record(connection, AuditEvent("client_disabled", "disabled", client_id=client_id))
    insert_family_statuses(connection, now, client_id)
    insert_revoked_statuses(connection, [revoked_client_status(client, now, MAX_ACCESS_SECONDS)])


def enable(connection: Connection, client_id: str) -> None:
    """Accept a disabled client and its sessions again."""
    client = _lock(connection, client_id)
    update_client(connection, client_id, disabled=False)
    record(connection, AuditEvent("client_enabled", "enabled", client_id=client_id))
    delete_family_statuses(connection, client_id)
    delete_revoked_statuses(connection, [client.status_index])


def delete(connection: Connection, now: int, client_id: str) -> None:
    """Delete the client and the sessions of its users with it. Its client_id is never issued again."""
    client = _lock(connection, client_id)
    end_families(connection, now, "client_deleted", client_id=client_id)
    insert_revoked_statuses(connection, [revoked_client_status(client, now, MAX_ACCESS_SECONDS)])
    delete_client(connection, client_id)
    record(connection, AuditEvent("client_deleted", "deleted", client_id=client_id))


def find(connection: Connection, client_id: str) -> Client:
    """Return the client. Raise NotFoundError if there is none."""
    found = load_clients(connection, [client_id])
    if not found:
        raise NotFoundError("client", client_id)
    return found[client_id]


def _check_unused(connection: Connection, client_id: str) -> None:
    """Raise AlreadyExistsError or AdminError if the client_id is taken, RegistrationError if it is malformed."""
    check_client_id(client_id)
    if load_clients(connection, [client_id]):
        raise _already_exists(client_id)
    if load_users(connection, [client_id]):
        raise AdminError(
            f"there is a user whose sub is {client_id}: their tokens would be the client's (RFC 9700 4.15)"
        )


def _lock(connection: Connection, client_id: str) -> Client:
    """Return the client, locked until the transaction ends. Clients are always locked before sessions."""
    client = lock_client(connection, client_id)
    if client is None:
        raise NotFoundError("client", client_id)
    return client


def _already_exists(client_id: str) -> AlreadyExistsError:
    return AlreadyExistsError(f"there is a client {client_id} already")
