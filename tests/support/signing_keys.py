"""Signing keys of a server under test, changed as an operator does, stored and published."""

from typing import Any, Final

import jwt
from jwt.types import Options
from sqlalchemy import delete

from jeton.crypto.key_stores import KeyStores
from jeton.crypto.master_key import parse_master_keys
from jeton.crypto.sealed_keys import SealedKeys
from jeton.frozen import asdict, replace
from jeton.rules.key_lifecycle import ACCESS_TOKENS, KeyState, SigningKey
from jeton.storage.database import Database
from jeton.storage.signing_keys import insert_signing_keys, load_signing_keys
from jeton.storage.tables import signing_keys
from support.in_process_server import ISSUER, MASTER_KEY, App, Running

ECDSA: Final = {"KEYS__ALGORITHM": "ES256"}


def replace_by_ecdsa_keys(url: str) -> None:
    """Give access tokens ECDSA keys, which are created much faster than RSA keys.

    Servers need the settings `ECDSA`. The first keys, which are RSA keys, become those of ID tokens.
    """
    database, stores = Database(url), KeyStores(SealedKeys(parse_master_keys(MASTER_KEY)))
    with database.write() as connection:
        before = load_signing_keys(connection)
        connection.execute(delete(signing_keys))
        ecdsa = (replace(key, **asdict(stores.create("ES256", None))) for key in before)
        insert_signing_keys(connection, [*ecdsa, *(replace(key, series="RS256") for key in before)])
    database.close()


def rotate(jeton: Running, *, force: bool = False) -> dict[KeyState, str]:
    """Rotate as an operator does, and refresh the server. Return the `kid` of each state."""
    rotation = jeton.rotation
    keys = rotation.rotate_now() if force else rotation.request_rotation()
    jeton.shared_state.refresh()
    return by_state(keys)


def revoke_key(jeton: Running, kid: str) -> dict[KeyState, str]:
    """Revoke as an operator does, and refresh the server. Return the `kid` of each state."""
    keys = jeton.rotation.revoke(kid)
    jeton.shared_state.refresh()
    return by_state(keys)


def all_stored_keys(database: Database) -> list[SigningKey]:
    with database.read() as connection:
        return load_signing_keys(connection)


def stored_keys(jeton: Running, series: str = ACCESS_TOKENS) -> list[SigningKey]:
    return [key for key in all_stored_keys(jeton.database) if key.series == series]


def by_state(keys: list[SigningKey], series: str = ACCESS_TOKENS) -> dict[KeyState, str]:
    """Return the `kid` of each state in one series; of the last one, if there are several."""
    return {key.state: key.kid for key in keys if key.series == series}


async def published_kids(jeton: Running, series: str = ACCESS_TOKENS) -> set[str]:
    """Return the published keys of the series."""
    published = {key["kid"] for key in (await jeton.http.get("/.well-known/jwks.json")).json()["keys"]}
    return published - {key.kid for key in all_stored_keys(jeton.database) if key.series != series}


async def new_token(jeton: Running, app: App) -> str:
    return str((await jeton.token(app, grant_type="client_credentials")).json()["access_token"])


def signer_of(token: str) -> str:
    """Return the `kid` in the header of the token."""
    return str(jwt.get_unverified_header(token)["kid"])


def verified_id_token(jeton: Running, id_token: str, client_id: str = "app") -> dict[str, Any]:
    """Return the claims, verified by another library with the published keys."""
    keys = jwt.PyJWKSet.from_json(jeton.keyring.key_set.document.decode())
    key = keys[jwt.get_unverified_header(id_token)["kid"]]
    options: Options = {"verify_exp": False, "verify_iat": False}
    return dict(jwt.decode(id_token, key, [key.algorithm_name], options, audience=client_id, issuer=ISSUER))
