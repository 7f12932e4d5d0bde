"""How clients are shown to people: by registered data only, and by the host that the answer goes to."""

from urllib.parse import urlsplit

from jeton.oauth.clients import Client
from jeton.pages.content import AppLabel
from jeton.rules.loopback import is_loopback


def app_label(client: Client, redirect_uri: str | None = None) -> AppLabel:
    """Return the name of the client, and the host of the redirect URI, or of its only registered host."""
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
