"""A server whose signing keys are in an HSM: it issues, rotates, migrates keys and survives outages of the HSM."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from shutil import copy
from threading import Event
from typing import Any

import jwt
import pkcs11
import pytest

from jeton.bootstrap.server import assemble
from jeton.bootstrap.signing_keys import key_stores
from jeton.config.settings import Settings
from jeton.config.sources import ConfigError
from jeton.crypto.key_stores import KeyStoreError
from jeton.crypto.master_key import parse_master_keys
from jeton.crypto.pkcs11_keys import Pkcs11Key, Pkcs11Keys
from jeton.rules.key_lifecycle import ACCESS_TOKENS, PROPAGATION_SECONDS, KeyState, SigningKey, StoredKey
from jeton.storage.database import Database
from support.cli_runner import CommandLine
from support.in_process_server import MASTER_KEY, Running, running, settings_for
from support.signing_keys import all_stored_keys, new_token, stored_keys
from support.softhsm import PIN, SoftHsm

AHEAD = 86400
# Status lists live no longer than tokens here, so that a retired key is deleted soon.
SHORT = {"TOKENS__STATUS_LIST": "false", "KEYS__ALGORITHM": "ES256"}


def stored(jeton: Running, series: str = ACCESS_TOKENS) -> dict[KeyState, SigningKey]:
    return {key.state: key for key in stored_keys(jeton, series)}


def on_token(jeton: Running, state: KeyState | None = None) -> list[SigningKey]:
    """Return the keys on the token, of this state or of any."""
    keys = [key for series in (ACCESS_TOKENS, "RS256") for key in stored_keys(jeton, series)]
    return [key for key in keys if key.store == "pkcs11" and state in (key.state, None)]


async def verified_kid(jeton: Running, token: str) -> str:
    """Return the kid of a token, verified by another library with the published keys."""
    published = jwt.PyJWKSet.from_dict((await jeton.http.get("/.well-known/jwks.json")).json())
    kid = jwt.get_unverified_header(token)["kid"]
    unchecked: Any = dict.fromkeys(("verify_aud", "verify_iat", "verify_nbf", "verify_exp"), False)
    jwt.decode(token, published[kid], algorithms=["RS256", "ES256"], options=unchecked)
    return str(kid)


def rotate_when_ready(jeton: Running) -> None:
    jeton.clock.advance(AHEAD)
    jeton.rotation.request_rotation()
    jeton.shared_state.refresh()


async def start_once(settings: Settings) -> None:
    async with running(settings):
        pass


@pytest.fixture(scope="module")
def first_keys(
    empty_hsm: SoftHsm, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SoftHsm, Path]:
    """A token and a database with the keys of the first start. Tests get copies: RSA keys take long to generate."""
    folder = tmp_path_factory.mktemp("first-keys")
    hsm, file = empty_hsm.copy(folder), Path(copy(sqlite_template, folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", hsm.configuration)
        asyncio.run(start_once(settings_for(f"sqlite:///{file}", **SHORT, **hsm.settings)))
    return hsm, file


@pytest.fixture
def hsm(first_keys: tuple[SoftHsm, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    made = first_keys[0].copy(tmp_path / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", made.configuration)
    return made


@pytest.fixture
def sqlite_url(first_keys: tuple[SoftHsm, Path], tmp_path: Path) -> str:
    return f"sqlite:///{copy(first_keys[1], tmp_path)}"


@pytest.fixture
async def jeton(hsm: SoftHsm, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """A server whose first keys are in the database and whose next keys are created on the token."""
    monkeypatch.setattr("jeton.crypto.pkcs11_token._PAUSE_SECONDS", 0)
    async with running(settings_for(sqlite_url, **SHORT, **hsm.settings)) as server:
        yield server


async def test_keys_in_the_database_are_followed_by_keys_on_the_token(jeton: Running) -> None:
    app, before = jeton.add_client(), stored(jeton)
    old = await new_token(jeton, app)
    assert (before[KeyState.ACTIVE].store, before[KeyState.NEXT].store) == ("database", "pkcs11")
    assert await verified_kid(jeton, old) == before[KeyState.ACTIVE].kid

    jeton.clock.advance(AHEAD)
    jeton.shared_state.refresh()

    assert await verified_kid(jeton, await new_token(jeton, app)) == before[KeyState.NEXT].kid
    assert await verified_kid(jeton, old) == before[KeyState.ACTIVE].kid
    assert stored(jeton)[KeyState.NEXT].store == "pkcs11"


async def test_keys_on_the_token_are_followed_by_keys_in_the_database(
    hsm: SoftHsm, jeton: Running, sqlite_url: str
) -> None:
    jeton.clock.advance(PROPAGATION_SECONDS)
    jeton.rotation.rotate_now()
    in_database = {**SHORT, **hsm.settings, "KEYS__STORE": "database"}
    async with running(settings_for(sqlite_url, **in_database)) as restarted:
        restarted.clock.advance(PROPAGATION_SECONDS)
        restarted.shared_state.refresh()
        keys = stored(restarted)
        assert (keys[KeyState.ACTIVE].store, keys[KeyState.NEXT].store) == ("pkcs11", "database")

        token = await new_token(restarted, restarted.add_client())
        assert await verified_kid(restarted, token) == keys[KeyState.ACTIVE].kid
        # The successor on the token, which has never signed, is replaced and destroyed.
        assert hsm.objects() == len(on_token(restarted))


async def test_a_key_that_is_deleted_is_destroyed_on_the_token(hsm: SoftHsm, jeton: Running) -> None:
    rotate_when_ready(jeton)
    rotate_when_ready(jeton)
    retiring = on_token(jeton, KeyState.RETIRING)
    assert {key.algorithm for key in retiring} == {"ES256", "RS256"}
    objects = []
    for seconds in ((retiring[0].gone_at or 0) - jeton.clock.now() - 1, 1):
        jeton.clock.advance(seconds)
        jeton.purge.delete_expired()
        objects.append(hsm.objects())
        assert hsm.objects() == len(on_token(jeton))

    assert objects[0] - objects[1] == len(retiring)
    assert on_token(jeton, KeyState.RETIRING) == []


@pytest.mark.requirement("OI24")
async def test_keys_of_id_tokens_are_on_the_token_too(jeton: Running) -> None:
    jeton.clock.advance(AHEAD)
    jeton.shared_state.refresh()

    signer = jeton.keyring.id_token_signer("RS256")

    assert (signer.is_external, signer.kid) == (True, stored(jeton, "RS256")[KeyState.ACTIVE].kid)
    assert await jeton.keyring.sign(signer, {}, "JWT")


async def test_algorithm_that_the_token_does_not_support_is_logged_once_and_the_others_sign(
    jeton: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    create = Pkcs11Keys.create

    def create_unless_eddsa(keys: Pkcs11Keys, algorithm: str, rsa_bits: int | None) -> StoredKey:
        if algorithm == "EdDSA":
            raise KeyStoreError("not supported")
        return create(keys, algorithm, rsa_bits)

    monkeypatch.setattr(Pkcs11Keys, "create", create_unless_eddsa)
    jeton.add_client("app", scope=frozenset({"openid"}), id_token_alg="EdDSA")
    for seconds in (AHEAD, 0):
        jeton.clock.advance(seconds)
        jeton.shared_state.refresh()

    assert jeton.keyring.id_token_algorithms == ("RS256", "ES256")
    assert capsys.readouterr().out.count("id_token_key_not_created") == 1


@pytest.mark.parametrize(
    ("noticed", "key"), [(True, None), (False, "key 1")], ids=["before the request", "only after it was spent"]
)
async def test_no_session_is_lost_while_the_token_is_unavailable(
    hsm: SoftHsm, jeton: Running, noticed: bool, key: str | None
) -> None:
    """A request that spent no token is repeated without an idempotency key, the others with it."""
    app, _ = jeton.add_client(), jeton.add_user()
    rotate_when_ready(jeton)
    refresh_token = (await jeton.log_in(app))["refresh_token"]

    with hsm.unavailable():
        pkcs11.lib(hsm.module).reinitialize()
        if noticed:
            jeton.shared_state.refresh()
        refused = await jeton.refresh(app, refresh_token, key)
        assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await jeton.http.get("/readyz")).status_code == 503
        assert (await jeton.http.get("/.well-known/jwks.json")).status_code == 200
    jeton.shared_state.refresh()
    assert (await jeton.http.get("/readyz")).status_code == 200

    repeated = await jeton.refresh(app, refresh_token, key)

    assert repeated.status_code == 200
    await jeton.refreshed(app, repeated.json()["refresh_token"])


async def test_a_slow_token_delays_only_requests_that_need_a_signature(
    jeton: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = jeton.add_client()
    rotate_when_ready(jeton)
    asked, may_sign, sign = Event(), Event(), Pkcs11Key.sign

    def sign_slowly(key: Pkcs11Key, signing_input: bytes) -> bytes:
        asked.set()
        assert may_sign.wait(10)
        return sign(key, signing_input)

    monkeypatch.setattr(Pkcs11Key, "sign", sign_slowly)
    waiting = asyncio.ensure_future(new_token(jeton, app))
    await asyncio.to_thread(asked.wait, 10)

    assert (await jeton.http.get("/livez")).status_code == 200
    assert not waiting.done()
    may_sign.set()

    assert await verified_kid(jeton, await waiting) == stored(jeton)[KeyState.ACTIVE].kid


def test_a_server_that_cannot_reach_the_token_does_not_start_and_changes_nothing(hsm: SoftHsm, sqlite_url: str) -> None:
    database = Database(sqlite_url)
    before = all_stored_keys(database)

    with pytest.raises(KeyStoreError, match=r"refused the PIN .* correct pkcs11\.pin and restart"):
        assemble(settings_for(sqlite_url, **{**hsm.settings, "PKCS11__PIN": "not this one"}))

    assert all_stored_keys(database) == before
    database.close()


def test_doctor_signs_with_the_hsm_and_says_why_it_cannot(hsm: SoftHsm, tmp_path: Path) -> None:
    cli = CommandLine({"JETON_DATABASE__URL": f"sqlite:///{tmp_path}/new.db"}).with_variables(**hsm.settings, **SHORT)
    cli.text("keys", "rotate")
    moving = cli.with_variables(DATABASE__URL=f"sqlite:///{tmp_path}/moving.db")
    moving.with_variables(KEYS__STORE="database").text("keys", "rotate")

    assert cli.text("doctor", "--offline")
    assert moving.text("doctor", "--offline")
    with hsm.unavailable():
        results = [json.loads(it.run("doctor", "--offline", "--json").stdout) for it in (cli, moving)]
    failures = [it for found in results for it in found if it["level"] == "fail"]
    assert len(failures) == 2
    assert {it["check"] for it in failures} == {"signing keys"}
    assert all("no PKCS#11 token has the label" in it["message"] for it in failures)


def test_the_pin_is_masked(hsm: SoftHsm, sqlite_url: str) -> None:
    cli = CommandLine({"JETON_DATABASE__URL": sqlite_url}).with_variables(**hsm.settings)
    for form in ((), ("--json",)):
        shown = cli.text("config", "check", *form)

        assert "pkcs11" in shown
        assert PIN not in shown


@pytest.mark.parametrize("missing", ["MODULE", "TOKEN_LABEL", "PIN"])
def test_a_setting_that_is_missing_is_named(hsm: SoftHsm, missing: str) -> None:
    with pytest.raises(ConfigError, match=rf"pkcs11\.{missing.lower()} is missing"):
        settings_for("sqlite:///jeton.db", **{**hsm.settings, f"PKCS11__{missing}": ""})


def test_without_python_pkcs11_the_command_to_install_it_is_given(
    hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("jeton.crypto.pkcs11_keys", "jeton.crypto.pkcs11_token"):
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pkcs11", None)

    with pytest.raises(ConfigError, match=r"pip install 'jeton\[pkcs11\]'"):
        key_stores(settings_for("sqlite:///jeton.db", **hsm.settings), parse_master_keys(MASTER_KEY))
