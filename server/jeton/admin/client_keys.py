"""Changes of the keys and certificates by which a client authenticates."""

from collections.abc import Mapping
from typing import Any, Final

from jeton.admin.errors import AdminError
from jeton.crypto.client_certificates import canonical_name
from jeton.frozen import replace
from jeton.oauth.clients import KEY_METHODS, Client
from jeton.oauth.tls_subjects import SAN_IP, SUBJECT_DN

_EXAMPLES: Final = {SUBJECT_DN: "CN=job,O=Example,C=NO", SAN_IP: "192.0.2.1 or 2001:db8::1"}


def key_values(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the fields that the changes of keys mean. Raise AdminError if a name is malformed.

    `jwks` and `jwks_uri` replace each other, and names of certificates are stored as they are compared.
    """
    values: dict[str, Any] = {}
    if "jwks" in changes:
        values["jwks_uri"] = changes.get("jwks_uri")
    elif "jwks_uri" in changes:
        values["jwks"] = None
    if "tls_subject" in changes:
        values["tls_subject"] = {kind: _canonical_name(kind, name) for kind, name in changes["tls_subject"].items()}
    return values


def without_useless_secret(client: Client) -> Client:
    """Return the client without a secret if it authenticates by a key: it could not be used, but it could leak."""
    if not client.auth_methods & set(KEY_METHODS):
        return client
    return replace(client, secret_digest=None, previous_secret_digest=None, previous_secret_expires_at=None)


def _canonical_name(kind: str, name: str) -> str:
    try:
        return canonical_name(kind, name)
    except ValueError:
        option = kind.removeprefix("tls_client_auth_").replace("_", "-")
        raise AdminError(f"{name} is malformed: --tls-{option} takes a name such as {_EXAMPLES[kind]}") from None
