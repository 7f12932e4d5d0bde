"""Signing keys of a test's server: changed as an operator does, and as they are stored and published."""

from typing import Final

import jwt
from sqlalchemy import delete

from jeton.bootstrap.signing_keys import key_kind, key_rotation, key_stores
from jeton.crypto.master_key import parse_master_keys
from jeton.rules.key_lifecycle import KeyState, SigningKey
from jeton.storage.database import Database
from jeton.storage.signing_keys import load_signing_keys
from jeton.storage.tables import signing_keys
from support.in_process_server import MASTER_KEY, App, ManualClock, Running, settings_for

ECDSA: Final = {"KEYS__ALGORITHM": "ES256"}


def replace_by_ecdsa_keys(url: str) -> None:
    """Replace the first keys by ECDSA keys, which are created much faster than RSA keys. Servers need `ECDSA`."""
    settings, database = settings_for(url, **ECDSA), Database(url)
    with database.write() as connection:
        connection.execute(delete(signing_keys))
    stores = key_stores(settings, parse_master_keys(MASTER_KEY))
    key_rotation(settings, database, ManualClock(), stores).ensure_keys_exist(key_kind(settings, stores))
    database.close()


def rotate(jeton: Running, *, force: bool = False) -> dict[KeyState, str]:
    """Rotate as an operator does, and refresh the server. Return the `kid` of each state."""
    rotation = jeton.maintenance.rotation
    keys = rotation.rotate_now() if force else rotation.request_rotation()
    jeton.maintenance.refresh()
    return by_state(keys)


def revoke_key(jeton: Running, kid: str) -> dict[KeyState, str]:
    """Revoke as an operator does, and refresh the server. Return the `kid` of each state."""
    keys = jeton.maintenance.rotation.revoke(kid)
    jeton.maintenance.refresh()
    return by_state(keys)


def stored_keys(jeton: Running) -> list[SigningKey]:
    with jeton.database.read() as connection:
        return load_signing_keys(connection)


def by_state(keys: list[SigningKey]) -> dict[KeyState, str]:
    """Return the `kid` of each state; of the last one, if there are several."""
    return {key.state: key.kid for key in keys}


async def published_kids(jeton: Running) -> set[str]:
    return {key["kid"] for key in (await jeton.http.get("/.well-known/jwks.json")).json()["keys"]}


async def new_token(jeton: Running, app: App) -> str:
    return str((await jeton.token(app, grant_type="client_credentials")).json()["access_token"])


def signer_of(token: str) -> str:
    """Return the `kid` in the header of the token."""
    return str(jwt.get_unverified_header(token)["kid"])
