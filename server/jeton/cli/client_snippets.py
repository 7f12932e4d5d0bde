"""Configuration of common programs for a client that signs users in, to be pasted."""

import json
import shlex
from collections.abc import Iterator
from typing import Final

from jeton.oauth.authorization.authorization_request import GRANT_TYPE
from jeton.oauth.clients import SECRET_METHODS, Client
from jeton.oauth.discovery import USERINFO_PATH
from jeton.oauth.metadata import AUTHORIZATION_PATH, METADATA_PATHS, TOKEN_PATH

_SECRET: Final = "CLIENT_SECRET"


def snippets(client: Client, issuer: str) -> Iterator[str]:
    """Yield snippets for programs that sign users in with OpenID Connect. CLIENT_SECRET stands for the secret."""
    signs_in = GRANT_TYPE in client.grant_types and "openid" in client.scope and client.redirect_uris
    has_secret = not client.public and client.auth_methods <= set(SECRET_METHODS)
    if not signs_in or not has_secret:
        return
    url, redirect_uri = issuer.rstrip("/"), min(client.redirect_uris)
    scope = " ".join(sorted(client.scope & {"openid", "profile", "email", "offline_access"}))
    yield _oauth2_proxy(client.client_id, issuer, redirect_uri, scope)
    yield _grafana(client.client_id, url, scope)
    yield _mod_auth_openidc(client.client_id, url, redirect_uri, scope)
    yield _openid_client(client.client_id, issuer)


def _oauth2_proxy(client_id: str, issuer: str, redirect_uri: str, scope: str) -> str:
    options = {
        "provider": "oidc",
        "oidc-issuer-url": issuer,
        "client-id": client_id,
        "client-secret": _SECRET,
        "redirect-url": redirect_uri,
        "scope": scope,
        "code-challenge-method": "S256",
    }
    words = " \\\n      ".join(f"--{name}={shlex.quote(value)}" for name, value in options.items())
    return f"oauth2-proxy:\n\n  oauth2-proxy {words}"


def _grafana(client_id: str, url: str, scope: str) -> str:
    return f"""Grafana (grafana.ini):

  [auth.generic_oauth]
  enabled = true
  client_id = {client_id}
  client_secret = {_SECRET}
  scopes = {scope}
  auth_url = {url}{AUTHORIZATION_PATH}
  token_url = {url}{TOKEN_PATH}
  api_url = {url}{USERINFO_PATH}
  use_pkce = true"""


def _mod_auth_openidc(client_id: str, url: str, redirect_uri: str, scope: str) -> str:
    return f"""mod_auth_openidc (Apache):

  OIDCProviderMetadataURL {url}{METADATA_PATHS[1]}
  OIDCClientID {json.dumps(client_id)}
  OIDCClientSecret {_SECRET}
  OIDCRedirectURI {redirect_uri}
  OIDCScope "{scope}"
  OIDCPKCEMethod S256
  OIDCCryptoPassphrase RANDOM_TEXT_OF_YOUR_OWN"""


def _openid_client(client_id: str, issuer: str) -> str:
    return f"""openid-client (Node.js):

  import * as client from "openid-client"
  const config = await client.discovery(new URL({json.dumps(issuer)}), {json.dumps(client_id)}, "{_SECRET}")"""
