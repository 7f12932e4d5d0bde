"""Changes of what is registered of a client: which fields there are to set, and how they are checked and stored."""

from collections.abc import Mapping
from typing import Any, Final, TypedDict

from sqlalchemy import Connection

from jeton.admin.client_keys import key_values
from jeton.admin.resources import registered_uris
from jeton.frozen import replace
from jeton.grants import GRANTS
from jeton.oauth.audit_events import AuditEvent
from jeton.oauth.clients import Client
from jeton.oauth.registration.registration_rules import check_client
from jeton.storage.audit_trail import record
from jeton.storage.clients import save_client_changes

_CONFIDENTIAL_GRANTS: Final = frozenset(grant.name for grant in GRANTS if grant.confidential)


class ClientChanges(TypedDict, total=False):
    """Fields of `Client` to set. A value replaces the stored one; `lifetimes` are merged into the stored ones."""

    public: bool
    grant_types: frozenset[str]
    scope: frozenset[str]
    default_scope: frozenset[str]
    audience: tuple[str, ...]
    auth_methods: frozenset[str]
    introspect: bool
    claims: frozenset[str]
    origins: frozenset[str]
    lifetimes: Mapping[str, int]
    session_binding: str
    name: str
    redirect_uris: frozenset[str]
    post_logout_redirect_uris: frozenset[str]
    application_type: str
    first_party: bool
    require_pkce: bool
    require_par: bool
    resources: tuple[str, ...]
    refresh_token: str
    backchannel_logout_uri: str
    backchannel_logout_session_required: bool
    id_token_alg: str
    refresh_cookie: bool
    jwks: Mapping[str, Any]
    jwks_uri: str
    assertion_audience: str
    tls_subject: Mapping[str, str]
    require_dpop: bool


def apply_changes(connection: Connection, client: Client, changes: ClientChanges) -> Client:
    """Return the changed client, not stored yet. Raise RegistrationError or AdminError if it would not be valid."""
    lifetimes = {**client.lifetimes, **changes.get("lifetimes", {})}
    values: dict[str, Any] = {**changes, **key_values(changes), "lifetimes": lifetimes}
    if "resources" in changes:
        values["resources"] = registered_uris(connection, changes["resources"])
    changed = replace(client, **values)
    check_client(changed, _CONFIDENTIAL_GRANTS)
    return changed


def save_changes(connection: Connection, before: Client, after: Client) -> None:
    """Store the fields that differ, and record their names in the audit trail."""
    if names := save_client_changes(connection, before, after):
        record(connection, AuditEvent("client_changed", " ".join(names), client_id=before.client_id))
