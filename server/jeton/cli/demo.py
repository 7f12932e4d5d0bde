"""The demo accounts of `jeton serve --demo`, and the text that shows how to use them."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from jeton.admin import clients, users
from jeton.admin.client_changes import ClientChanges
from jeton.cli.demo_app import CALLBACK, start_demo_app
from jeton.config.settings import Settings
from jeton.crypto.credentials import generate_password
from jeton.crypto.passwords import Passwords
from jeton.rules.loopback import is_loopback
from jeton.storage.clients import has_clients, load_clients, update_client
from jeton.storage.database import Database
from jeton.storage.database_url import is_sqlite
from jeton.storage.identifiers import used_identifiers
from jeton.storage.users import find_users, has_users

USERNAME: Final = "demo"
APP: Final = "demo-app"
PUBLIC_APP: Final = "demo-spa"
RESOURCE_SERVER: Final = "demo-api"
AUDIENCE: Final = "https://api.demo.example"
_SESSION_GRANTS: Final = frozenset({"password", "refresh_token"})
_COMMON: Final = ClientChanges(scope=frozenset({"read", "write"}), audience=(AUDIENCE,))
# An app with a server part, an app without one, and a service that they call.
_CLIENTS: Final[dict[str, ClientChanges]] = {
    APP: {**_COMMON, "grant_types": _SESSION_GRANTS | {"client_credentials"}},
    PUBLIC_APP: {**_COMMON, "grant_types": _SESSION_GRANTS, "public": True},
    RESOURCE_SERVER: {"audience": (AUDIENCE,), "introspect": True},
}
# The public client is the app that signs people in by a browser (cli/demo_app.py).
_SIGN_IN: Final[dict[str, Any]] = {
    "name": "Demo app",
    "application_type": "native",
    "grant_types": _SESSION_GRANTS | {"authorization_code"},
    "redirect_uris": frozenset({CALLBACK}),
}


def create_demo_accounts(database: Database, now: int, passwords: Passwords, settings: Settings) -> Iterator[str]:
    """Create demo accounts if only this machine can use them and no account exists. Yield the lines to print.

    Their secrets are only in these lines.
    """
    if reason := _reason_against(settings):
        yield f"--demo created no accounts: {reason}. `jeton user add` and `jeton client add` create your own."
        return
    with database.write() as connection:
        if used_identifiers(connection, _CLIENTS) or find_users(connection, [USERNAME]):
            yield "The demo accounts have existed since the first start; their secrets were shown then, not stored."
            yield "To start over: stop, delete the folder of the database (var/), and start."
            return
        if has_users(connection) or has_clients(connection):
            yield "--demo created no accounts: the database already contains others."
            return
        password = generate_password()
        users.register(connection, now, USERNAME, None, ("user",), passwords.hash(password))
        secrets = {name: clients.register(connection, now, name, changes)[1] for name, changes in _CLIENTS.items()}
        update_client(connection, PUBLIC_APP, **_SIGN_IN)
        # Before the commit: if the lines cannot be printed, there are no accounts with lost secrets.
        yield from _guide(settings.server.issuer, password, secrets)


def demo_app_url(database: Database, settings: Settings) -> str | None:
    """Start the demo app if only this machine can use the server, and its client exists.

    Return the URL to open in a browser, or None.
    """
    if _reason_against(settings):
        return None
    with database.read() as connection:
        is_registered = PUBLIC_APP in load_clients(connection, [PUBLIC_APP])
    return start_demo_app(settings.server.issuer, PUBLIC_APP) if is_registered else None


def _reason_against(settings: Settings) -> str | None:
    """Return why other machines might use accounts that are created here, or None if they cannot."""
    server = settings.server
    if not is_sqlite(settings.database.url):
        return "the database is not SQLite, and other servers may use it"
    if not is_loopback(server.host):
        return "server.host is not a loopback address"
    if not is_loopback(urlsplit(server.issuer).hostname or ""):
        return "server.issuer is not on a loopback address"
    if server.trusted_proxies:
        return "server.trusted_proxies names a proxy, which lets other machines in"
    return None


def _guide(issuer: str, password: str, secrets: dict[str, str | None]) -> Iterator[str]:
    app_secret, api_secret = secrets[APP], secrets[RESOURCE_SERVER]
    yield f"""
Demo accounts, shown this once:

  user                 {USERNAME}        password  {password}
  confidential client  {APP}    secret    {app_secret}
  public client        {PUBLIC_APP}    (no secret)
  resource server      {RESOURCE_SERVER}    secret    {api_secret}

Log in; keep the tokens:

  curl -s {issuer}/oauth/token -u {APP}:{app_secret} \\
       -d grant_type=password -d username={USERNAME} -d password={password} -d scope=read

Refresh (each refresh token works once; used again, it ends the session):

  curl -s {issuer}/oauth/token -u {APP}:{app_secret} \\
       -d grant_type=refresh_token -d refresh_token=REFRESH_TOKEN

Ask whether a token is active, as a service does:

  curl -s {issuer}/oauth/introspect -u {RESOURCE_SERVER}:{api_secret} -d token=ACCESS_TOKEN

Fetch the keys with which services verify access tokens themselves:

  curl -s {issuer}/.well-known/jwks.json
"""
