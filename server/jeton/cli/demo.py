"""The demo accounts of `jeton serve --demo`, and the lines that show how to use them."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from jeton.bootstrap.parts import Parts
from jeton.config import Settings
from jeton.crypto.credentials import digest_secret, generate_client_secret, generate_password, generate_sub
from jeton.oauth.clients import Client
from jeton.oauth.metadata import SECRET_METHODS
from jeton.oauth.users import User
from jeton.rules.loopback import is_loopback
from jeton.storage.clients import has_clients, insert_client
from jeton.storage.database_url import is_sqlite
from jeton.storage.identifiers import used_identifiers
from jeton.storage.users import find_users, has_users, insert_user

USERNAME: Final = "demo"
APP: Final = "demo-app"
PUBLIC_APP: Final = "demo-spa"
RESOURCE_SERVER: Final = "demo-api"
AUDIENCE: Final = "https://api.demo.example"
_SCOPE: Final = frozenset({"read", "write"})
_SESSIONS: Final = frozenset({"password", "refresh_token"})


def create_demo_accounts(parts: Parts, settings: Settings) -> Iterator[str]:
    """Create them where nobody else can reach them and no account exists yet. Yield the lines to print.

    Secrets are in these lines and nowhere else.
    """
    if obstacle := _obstacle(settings):
        yield f"--demo created no accounts: {obstacle}. `jeton user add` and `jeton client add` create your own."
        return
    password, app_secret, api_secret = generate_password(), generate_client_secret(), generate_client_secret()
    with parts.database.write() as connection:
        if used_identifiers(connection, [APP, PUBLIC_APP, RESOURCE_SERVER]) or find_users(connection, [USERNAME]):
            yield "The demo accounts exist since the first start; their secrets were shown then and are not stored."
            yield "To begin again: stop, delete the folder of the database (var/), and start."
            return
        if has_users(connection) or has_clients(connection):
            yield "--demo created no accounts: the database holds others already."
            return
        password_hash = parts.passwords.hash(password)
        now, methods = parts.clock.now(), frozenset(SECRET_METHODS)
        insert_user(connection, User(generate_sub(), USERNAME, None, ("user",), False, now, 1, password_hash))
        for client in _clients(now, methods, app_secret, api_secret):
            insert_client(connection, client)
    yield from _guide(settings.server.issuer, password, app_secret, api_secret)


def _obstacle(settings: Settings) -> str | None:
    """Return why somebody else might use accounts that were made here, or None."""
    server = settings.server
    if not is_sqlite(settings.database.url):
        return "the database is not SQLite, and other servers may use it"
    if not is_loopback(server.host):
        return "server.host is not a loopback address"
    if not is_loopback(urlsplit(server.issuer).hostname or ""):
        return "server.issuer is not on a loopback address"
    if server.trusted_proxies:
        return "server.trusted_proxies names a proxy, which lets others in"
    return None


def _clients(now: int, methods: frozenset[str], app_secret: str, api_secret: str) -> Iterator[Client]:
    """An app with a server part, an app without one, and a service that they call."""
    yield Client(
        APP,
        public=False,
        created_at=now,
        auth_methods=methods,
        grant_types=_SESSIONS | {"client_credentials"},
        scope=_SCOPE,
        audience=(AUDIENCE,),
        secret_digest=digest_secret(app_secret),
    )
    yield Client(PUBLIC_APP, public=True, created_at=now, grant_types=_SESSIONS, scope=_SCOPE, audience=(AUDIENCE,))
    yield Client(
        RESOURCE_SERVER,
        public=False,
        created_at=now,
        introspect=True,
        auth_methods=methods,
        audience=(AUDIENCE,),
        secret_digest=digest_secret(api_secret),
    )


def _guide(issuer: str, password: str, app_secret: str, api_secret: str) -> Iterator[str]:
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

Ask, as the service does, whether a token is active:

  curl -s {issuer}/oauth/introspect -u {RESOURCE_SERVER}:{api_secret} -d token=ACCESS_TOKEN

The keys with which services verify access tokens without asking:

  curl -s {issuer}/.well-known/jwks.json
"""
