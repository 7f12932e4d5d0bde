"""How clients are shown to people: by registered data, by the host of their metadata document, and where answers go."""

from urllib.parse import urlsplit

from jeton.oauth.clients import ADMINISTRATOR, METADATA_DOCUMENT, Client
from jeton.oauth.registration.metadata_document_urls import authority_of
from jeton.pages.content import AppLabel
from jeton.rules.loopback import is_loopback


def app_label(client: Client, redirect_uri: str | None = None) -> AppLabel:
    """Return how the client is shown, with the host of the redirect URI, or of its only registered host.

    An unregistered client may call itself like any other: its name is that of the host, and empty without one.
    """
    host, logo_of = _host(client, redirect_uri), None if client.logo_type is None else client.client_id
    if client.registration == METADATA_DOCUMENT:
        return AppLabel(authority_of(client.client_id), host, own_name=client.name)
    if client.registration != ADMINISTRATOR and (host or client.name):
        return AppLabel(host or "", host, logo_of, client.name)
    return AppLabel(client.name or client.client_id, host, logo_of)


def _host(client: Client, redirect_uri: str | None) -> str | None:
    """Return the host, or None if the answer stays on the person's device."""
    uris = sorted(client.redirect_uris) if redirect_uri is None else [redirect_uri]
    for uri in uris:
        # Only addresses of the web are parsed: one of a private scheme need not be well-formed.
        parts = urlsplit(uri) if uri.startswith(("https:", "http:")) else None
        if parts is not None and parts.hostname and not is_loopback(parts.hostname):
            return parts.netloc
    return None
