"""A stolen copy of the database opens nothing (RFC 6749 section 10.3, 10.4, 10.8): no token, secret or private key."""

import base64
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from jeton.admin.initial_access_tokens import create
from jeton.crypto.master_key import generate_master_key, parse_master_keys
from jeton.crypto.refresh_token import RefreshTokens, parse_refresh_token
from jeton.crypto.sealed_keys import SealedKeys
from jeton.storage.database import Database
from jeton.storage.tables import metadata
from support.builders import CALLBACK
from support.cli_runner import CommandLine
from support.in_process_server import MASTER_KEY, PASSWORD, App, Running, StartServer, running, settings_for
from support.server_processes import environment
from support.signing_keys import all_stored_keys
from support.stored_sessions import sid_of, stored_family

PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi")
IDEMPOTENCY_KEY = "an idempotency key of the client"


def dump(database: Database) -> bytes:
    """Return every value of every row of every table as bytes."""
    values: list[bytes] = []
    with database.read() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)):
                values += [bytes(it) if isinstance(it, bytes | memoryview) else repr(it).encode() for it in row]
    assert values
    return b"\n".join(values)


def files(database: Database) -> bytes:
    """Return the content of the SQLite file and its log on disk."""
    if database.file is None:
        return b""
    return b"".join(it.read_bytes() for it in database.file.parent.glob(database.file.name + "*"))


def spellings(secret: str) -> list[bytes]:
    """Return the secret as text, its base64 and hex forms, and the bytes that it encodes in base64url."""
    found = [secret.encode()]
    with suppress(ValueError):
        found.append(base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4)))
    return [spelt for it in found for spelt in (it, base64.b64encode(it).rstrip(b"="), it.hex().encode())]


def stored_of(secrets: dict[str, str], database: Database) -> list[str]:
    """Return the names of the secrets that the database contains in any spelling."""
    stored = dump(database) + files(database)
    return [name for name, secret in secrets.items() if any(it in stored for it in spellings(secret))]


def parts_of(name: str, tokens: dict[str, Any]) -> dict[str, str]:
    """Return the tokens and the parts that authenticate them: signatures and tags."""
    access, refresh = tokens["access_token"], tokens.get("refresh_token")
    found = {f"{name} access token": access, f"{name} signature": access.rpartition(".")[2]}
    return found if refresh is None else found | {f"{name} refresh token": refresh, f"{name} tag": refresh[-43:]}


@pytest.mark.requirement("A45", "A50", "N09")
async def test_no_token_secret_or_password_is_stored(jeton: Running, app: App, database_url: str) -> None:
    issued = {"first": await jeton.log_in(app), "public": await jeton.log_in(jeton.add_client("spa", public=True))}
    issued["rotated"] = (await jeton.refresh(app, issued["first"]["refresh_token"], IDEMPOTENCY_KEY)).json()
    issued["service"] = (await jeton.token(app, grant_type="client_credentials")).json()
    issued["revoked"] = await jeton.log_in(app)
    await jeton.revoke(app, issued["revoked"]["refresh_token"])
    await jeton.revoke(app, issued["service"]["access_token"])
    terminal, added = CommandLine(environment(database_url)), ("client", "rotate-secret", "printed")
    secrets = {
        "client secret": app.secret or "",
        "idempotency key": IDEMPOTENCY_KEY,
        "password": PASSWORD,
        "printed secret": terminal.json("client", "add", "printed")["client_secret"],
        "rotated secret": terminal.json(*added, "--overlap-seconds", "60")["client_secret"],
        "printed password": terminal.json("user", "add", "printed", "--generate-password")["password"],
    }
    secrets |= {f"{name} without its prefix": it.removeprefix("jcs_") for name, it in secrets.items()}
    for name, tokens in issued.items():
        secrets |= parts_of(name, tokens)

    assert "" not in secrets.values()
    assert stored_of(secrets, jeton.database) == []


@pytest.mark.requirement("A45", "DR02", "DR14")
async def test_no_token_of_registration_is_stored(start: StartServer) -> None:
    node = await start(REGISTRATION__DYNAMIC="token")
    with node.database.write() as connection:
        _, initial = create(connection, node.clock.now(), max_uses=1, seconds=60, name=None)
    headers = {"Authorization": f"Bearer {initial}"}
    registered = await node.http.post("/oauth/register", json={"redirect_uris": [CALLBACK]}, headers=headers)
    members = ("client_secret", "registration_access_token")
    secrets = {"initial access token": initial, **{name: registered.json()[name] for name in members}}
    secrets |= {f"{name} without its prefix": it[4:] for name, it in secrets.items()}

    assert stored_of(secrets, node.database) == []


@pytest.mark.requirement("O14", "A50")
async def test_no_private_key_and_no_master_key_is_stored(jeton: Running) -> None:
    sealed = SealedKeys(parse_master_keys(MASTER_KEY))
    private = [sealed.open(key).key.as_dict(private=True) for key in all_stored_keys(jeton.database)]
    secrets = {f"{name} of key {at}": str(it[name]) for at, it in enumerate(private) for name in PRIVATE_MEMBERS}

    assert stored_of({**secrets, "master key": MASTER_KEY, "PEM": "PRIVATE KEY"}, jeton.database) == []


async def test_the_search_finds_what_is_stored(jeton: Running, app: App) -> None:
    sid = sid_of((await jeton.log_in(app))["refresh_token"])
    known = {"name": "alice", "sid": sid, "other": "somebody else entirely"}

    assert stored_of(known, jeton.database) == ["name", "sid"]


@pytest.mark.requirement("A48", "A45")
async def test_a_refresh_token_needs_both_the_master_key_and_the_family_s_secret(jeton: Running, app: App) -> None:
    token = (await jeton.log_in(app))["refresh_token"]
    presented, family = parse_refresh_token(token), stored_family(jeton, token)
    assert presented is not None
    assert family is not None

    def derived(master_key: str, generation: int, secret: bytes) -> str:
        keys = parse_master_keys(master_key)
        return RefreshTokens(keys).derive(family.sid, generation, keys.newest, secret)

    def with_true_key_id(made: str) -> str:
        content = b"\x01" + bytes.fromhex(family.master_key_id) + base64.urlsafe_b64decode(made[4:])[5:]
        return made[:4] + base64.urlsafe_b64encode(content).decode()

    other_key = generate_master_key()
    forged = [derived(other_key, family.generation + ahead, family.secret) for ahead in (0, 1)]
    without_secret = derived(MASTER_KEY, presented.generation, bytes(32))

    for made in (*forged, *map(with_true_key_id, forged), without_secret):
        refused = await jeton.refresh(app, made)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        assert await jeton.introspect(app, made) == {"active": False}
    assert stored_family(jeton, token) == family
    assert derived(MASTER_KEY, presented.generation, family.secret) == token


async def test_a_backup_of_the_sqlite_file_works_with_its_master_key(sqlite_url: str, tmp_path: Path) -> None:
    async with running(settings_for(sqlite_url)) as node:
        app = node.add_client()
        node.add_user()
        token = (await node.log_in(app))["refresh_token"]
    shutil.copy(tmp_path / "jeton.db", tmp_path / "copy.db")

    async with running(settings_for(f"sqlite:///{tmp_path}/copy.db")) as copy:
        await copy.refreshed(app, token)
