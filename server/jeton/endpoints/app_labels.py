"""How clients are shown to people: by registered data, by the host of their metadata document, and where answers go."""

from urllib.parse import urlsplit

from jeton.oauth.clients import Client
from jeton.oauth.metadata_document_urls import host_of
from jeton.oauth.unregistered_clients import METADATA_DOCUMENT
from jeton.pages.content import AppLabel
from jeton.rules.loopback import is_loopback


def app_label(client: Client, redirect_uri: str | None = None) -> AppLabel:
    """Return the name of the client, and the host of the redirect URI, or of its only registered host."""
    if client.registration == METADATA_DOCUMENT:
        return AppLabel(host_of(client.client_id), _host(client, redirect_uri), own_name=client.name)
    logo_of = None if client.logo_type is None else client.client_id
    return AppLabel(client.name or client.client_id, _host(client, redirect_uri), logo_of)


def _host(client: Client, redirect_uri: str | None) -> str | None:
    """Return the host, or None if the answer stays on the person's device."""
    uris = sorted(client.redirect_uris) if redirect_uri is None else [redirect_uri]
    for uri in uris:
        parts = urlsplit(uri)
        if parts.scheme in ("http", "https") and parts.hostname and not is_loopback(parts.hostname):
            return parts.netloc
    return None
