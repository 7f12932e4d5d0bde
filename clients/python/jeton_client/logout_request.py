"""Logout by redirect (OpenID Connect RP-Initiated Logout 1.0)."""

from jeton_client.authorization_request import url_with
from jeton_client.client_authentication import Client


def logout_url(
    endpoint: str, client: Client, id_token: str | None, post_logout_redirect_uri: str | None, state: str
) -> str:
    """Return the URL at which the browser logs out at the server. The state is sent with a redirect URI only."""
    pairs = {
        "id_token_hint": id_token,
        "client_id": client.client_id,
        "post_logout_redirect_uri": post_logout_redirect_uri,
        "state": None if post_logout_redirect_uri is None else state,
    }
    return url_with(endpoint, [(name, value) for name, value in pairs.items() if value is not None])
