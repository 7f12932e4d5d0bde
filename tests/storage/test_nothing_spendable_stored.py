"""A stolen copy of the database opens nothing (RFC 6749 section 10.3, 10.4, 10.8): no token, secret or private key."""

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from jeton.crypto.master_key import generate_master_key, parse_master_keys
from jeton.crypto.refresh_token import RefreshTokens, parse_refresh_token
from jeton.storage.database import Database
from jeton.storage.families import load_families
from jeton.storage.signing_keys import load_signing_keys
from jeton.storage.tables import metadata
from support.cli_runner import CommandLine
from support.in_process_server import MASTER_KEY, PASSWORD, Running, running, settings_for
from support.server_processes import environment, run_jeton

PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi")


def dump(database: Database) -> bytes:
    """Every value of every row of every table, as bytes."""
    values: list[bytes] = []
    with database.read() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)):
                values += [bytes(it) if isinstance(it, bytes | memoryview) else repr(it).encode() for it in row]
    assert values
    return b"\n".join(values)


def files(database: Database) -> bytes:
    """What lies on the disk, of SQLite: the file and its log."""
    if database.file is None:
        return b""
    return b"".join(it.read_bytes() for it in database.file.parent.glob(database.file.name + "*"))


def spellings(secret: str) -> list[bytes]:
    """The secret as text, as base64 and hex of it, and as the bytes that it is the base64url of."""
    text = secret.encode()
    found = [text, base64.b64encode(text).rstrip(b"="), text.hex().encode()]
    try:
        decoded = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    except ValueError:
        return found
    return [*found, decoded, decoded.hex().encode(), base64.b64encode(decoded).rstrip(b"=")]


def private_members(node: Running) -> list[str]:
    """The private numbers of the key that the server signs with."""
    key: Any = node.keyring.signer._key
    members = key.key.as_dict(private=True)
    return [members[name] for name in PRIVATE_MEMBERS]


def assert_absent(secrets: dict[str, str], node: Running) -> None:
    database = node.database
    stored = dump(database) + files(database)
    found = [name for name, secret in secrets.items() if any(it in stored for it in spellings(secret))]
    assert found == []


@pytest.mark.requirement("A45", "A50", "N09")
async def test_no_token_secret_or_password_is_stored(jeton: Running) -> None:
    app, public = jeton.add_client(), jeton.add_client("spa", public=True)
    jeton.add_user()
    first, spa = await jeton.log_in(app), await jeton.log_in(public)
    kept = (await jeton.refresh(app, first["refresh_token"], "an idempotency key of the client")).json()
    service = (await jeton.token(app, grant_type="client_credentials")).json()
    revoked = await jeton.log_in(app)
    await jeton.revoke(app, revoked["refresh_token"])
    await jeton.revoke(app, service["access_token"])
    assert app.secret is not None

    tokens = {"first": first, "spa": spa, "rotated": kept, "revoked": revoked, "service": service}
    secrets = {
        f"{name} {kind}": tokens[name][kind]
        for name in tokens
        for kind in ("access_token", "refresh_token")
        if kind in tokens[name]
    }
    signatures = {f"{name} signature": it["access_token"].rpartition(".")[2] for name, it in tokens.items()}
    tags = {f"{name} tag": it["refresh_token"][-43:] for name, it in tokens.items() if "refresh_token" in it}
    others = {
        "client secret": app.secret,
        "client secret without its prefix": app.secret.removeprefix("jcs_"),
        "password": PASSWORD,
        "idempotency key": "an idempotency key of the client",
    }
    assert_absent({**secrets, **signatures, **tags, **others}, jeton)


async def test_the_dump_finds_what_is_stored(jeton: Running) -> None:
    """That the search above is able to find something."""
    app = jeton.add_client()
    jeton.add_user("bob")
    first = await jeton.log_in(app, "bob")
    presented = parse_refresh_token(first["refresh_token"])
    assert presented is not None

    for known in ("bob", presented.sid):
        with pytest.raises(AssertionError, match="known"):
            assert_absent({"known": known}, jeton)


@pytest.mark.requirement("O14", "A50")
async def test_no_private_key_and_no_master_key_is_stored(jeton: Running) -> None:
    secrets = {f"member {number}": member for number, member in enumerate(private_members(jeton))}

    assert_absent({**secrets, "master key": MASTER_KEY}, jeton)
    assert b"PRIVATE KEY" not in dump(jeton.database)
    with jeton.database.read() as connection:
        public = [json.loads(key.public_jwk) for key in load_signing_keys(connection)]
    assert public
    assert all(not set(PRIVATE_MEMBERS) & set(jwk) for jwk in public)


@pytest.mark.requirement("A50", "N09")
async def test_what_commands_print_once_is_not_stored(jeton: Running, database_url: str) -> None:
    terminal = CommandLine(environment(database_url))
    secret = terminal.json("client", "add", "printed")["client_secret"]
    rotated = terminal.json("client", "rotate-secret", "printed", "--overlap-seconds", "3600")["client_secret"]
    password = terminal.json("user", "add", "printed", "--generate-password")["password"]

    assert_absent({"secret": secret, "rotated secret": rotated, "password": password}, jeton)


@pytest.mark.requirement("O14", "A48")
def test_a_copy_under_another_master_key_starts_no_server_and_is_not_written_to(
    database_url: str, tmp_path: Path
) -> None:
    database = Database(database_url)
    before = dump(database)

    done = run_jeton(tmp_path, database_url, "serve", SECRETS__MASTER_KEY=generate_master_key())

    assert done.returncode == 1
    assert "master key" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert dump(database) == before
    database.close()


@pytest.mark.requirement("A48", "A45")
async def test_whoever_has_the_database_but_not_the_master_key_cannot_make_a_refresh_token(jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    presented = parse_refresh_token((await jeton.log_in(app))["refresh_token"])
    assert presented is not None
    with jeton.database.read() as connection:
        family = load_families(connection, [presented.sid])[presented.sid]
    thief_keys = parse_master_keys(generate_master_key())
    thief = RefreshTokens(thief_keys)

    for generation in (family.generation, family.generation + 1):
        made = thief.derive(family.sid, generation, thief_keys.newest, family.secret)
        disguised = (
            made[:4]
            + base64.urlsafe_b64encode(
                b"\x01" + bytes.fromhex(family.master_key_id) + base64.urlsafe_b64decode(made[4:])[5:]
            ).decode()
        )
        for token in (made, disguised):
            refused = await jeton.refresh(app, token)
            assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
            assert await jeton.introspect(app, token) == {"active": False}
    with jeton.database.read() as connection:
        assert load_families(connection, [presented.sid])[presented.sid] == family


@pytest.mark.requirement("A48")
async def test_whoever_has_the_master_key_but_not_the_familys_secret_cannot_make_a_refresh_token(
    jeton: Running,
) -> None:
    app = jeton.add_client()
    jeton.add_user()
    presented = parse_refresh_token((await jeton.log_in(app))["refresh_token"])
    assert presented is not None
    keys = parse_master_keys(MASTER_KEY)

    made = RefreshTokens(keys).derive(presented.sid, presented.generation, keys.newest, bytes(32))

    refused = await jeton.refresh(app, made)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


async def test_a_backup_of_the_sqlite_file_serves_on_with_its_master_key(sqlite_url: str, tmp_path: Path) -> None:
    async with running(settings_for(sqlite_url)) as node:
        app = node.add_client()
        node.add_user()
        token = (await node.log_in(app))["refresh_token"]
    shutil.copy(tmp_path / "jeton.db", tmp_path / "copy.db")

    async with running(settings_for(f"sqlite:///{tmp_path}/copy.db")) as copy:
        await copy.refreshed(app, token)
