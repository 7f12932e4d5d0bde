"""jeton token inspect: content of tokens, and every reason why one is not active."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from jeton.storage.clients import delete_client
from jeton.storage.database import Database
from jeton.storage.migrate import migrate
from jeton.storage.tables import issued_identifiers
from support.base64url import base64url
from support.cli_runner import CommandLine
from support.in_process_server import ISSUER, MASTER_KEY, App, Running, running, settings_for

ACCESS, REFRESH, OWN = "access_token", "refresh_token", "client's own"


@dataclass(frozen=True)
class Login:
    """A server with one session, and a command line on the same database."""

    cli: CommandLine
    jeton: Running
    app: App
    tokens: dict[str, Any]

    def problems(self, token: str) -> list[str]:
        """Return the problems of the token, which both output formats must contain."""
        told = self.cli.json("token", "inspect", token)
        assert told["active"] is (not told["problems"])
        first, *lines = self.cli.text("token", "inspect", token).splitlines()
        assert first == f"{told['kind']}: {'active' if told['active'] else 'not active'}"
        assert lines[: len(told["problems"])] == [f"  - {problem}" for problem in told["problems"]]
        return list(told["problems"])


@pytest.fixture
async def login(cli: CommandLine, jeton: Running) -> Login:
    app = jeton.add_client(lifetimes={"access_seconds": 300, "refresh_idle_seconds": 1000})
    jeton.add_user()
    own = (await jeton.token(app, grant_type="client_credentials")).json()["access_token"]
    return Login(cli, jeton, app, {**await jeton.log_in(app), OWN: own})


def encoded(part: Any) -> str:
    return base64url(json.dumps(part).encode())


@pytest.mark.parametrize(
    ("kind", "name", "claims"),
    [
        (ACCESS, "access token", {"iss": ISSUER, "client_id": "web"}),
        (OWN, "access token", {"iss": ISSUER, "client_id": "web"}),
        (REFRESH, "refresh token", {"client_id": "web", "generation": 0}),
    ],
)
async def test_active_token_is_decoded_unchanged(login: Login, kind: str, name: str, claims: dict[str, Any]) -> None:
    assert login.problems(login.tokens[kind]) == []
    told = login.cli.json("token", "inspect", "-", stdin=login.tokens[kind] + "\n")

    assert (told["kind"], told["active"]) == (name, True)
    assert claims.items() <= told["claims"].items()
    text = login.cli.text("token", "inspect", login.tokens[kind])
    assert '"client_id": "web"' in text
    if kind != REFRESH:
        assert told["header"]["typ"] == "at+jwt"
        assert text.startswith("access token: active\nheader: {")
    assert (await login.jeton.refresh(login.app, login.tokens[REFRESH])).status_code == 200


@pytest.mark.parametrize("changed", ["signature", "claims", "no signature"])
async def test_modified_access_token_is_reported(login: Login, changed: str) -> None:
    header, claims, signature = login.tokens[ACCESS].split(".")
    token = {
        "signature": [header, claims, signature[:-8] + "AAAAAAAA"],
        "claims": [header, encoded({"sub": "u_other"}), signature],
        "no signature": [header, claims, ""],
    }[changed]
    (problem,) = login.problems(".".join(token))

    assert "signature is wrong" in problem


@pytest.mark.parametrize(
    ("members", "words"),
    [
        *(({"alg": it}, "signature is wrong") for it in ("none", "HS256")),
        ({"typ": "JWT"}, "typ is not at+jwt"),
        *(({"kid": it}, "kid is not a published key") for it in ("unknown", None, ["a", "list"], {"an": "object"})),
    ],
    ids=str,
)
async def test_modified_header_is_reported(login: Login, members: dict[str, Any], words: str) -> None:
    _, claims, signature = login.tokens[ACCESS].split(".")
    header = encoded({"typ": "at+jwt", "alg": "RS256", "kid": login.jeton.keyring.signer.kid} | members)

    assert any(words in problem for problem in login.problems(f"{header}.{claims}.{signature}"))


async def test_token_of_another_server_is_reported(login: Login, tmp_path_factory: pytest.TempPathFactory) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('other')}/jeton.db"
    migrate(Database(url))
    async with running(settings_for(url)) as other:
        other.add_user()
        tokens = await other.log_in(other.add_client())

    (access_problem,) = login.problems(tokens[ACCESS])
    (refresh_problem,) = login.problems(tokens[REFRESH])
    elsewhere = login.cli.with_variables(SERVER__ISSUER="https://id.example")
    told = elsewhere.json("token", "inspect", login.tokens[ACCESS])

    assert "another server's" in access_problem
    assert "from another server" in refresh_problem
    assert told["problems"] == ["its iss is not this server's issuer https://id.example"]


def run(*words: str) -> Callable[[Login], object]:
    return lambda login: login.cli.text(*words)


def wait(seconds: int) -> Callable[[Login], object]:
    return lambda login: login.jeton.clock.advance(seconds)


def revoke_key(login: Login) -> None:
    login.cli.text("keys", "revoke", login.jeton.keyring.signer.kid)


def register_again(login: Login) -> None:
    with login.jeton.database.write() as connection:
        delete_client(connection, "web")
        # As if it were the URL of a metadata document; no other client_id can be used again.
        connection.execute(issued_identifiers.delete())
    login.jeton.clock.advance(1)
    login.jeton.add_client("web")


NO_SCOPE = run("client", "set", "web", "--scope", "other")
NO_REFRESH = run("client", "set", "web", "--grant", "password")


@pytest.mark.parametrize(
    ("kind", "happen", "words"),
    [
        pytest.param(ACCESS, wait(310), "it expired 10 seconds ago", id="expired"),
        pytest.param(REFRESH, wait(1000), "its session expired", id="session expired"),
        pytest.param(ACCESS, revoke_key, "its key was rotated out or revoked", id="key revoked"),
        *(
            pytest.param(kind, run(*words.split()), said, id=f"{kind}: {words}")
            for kind in (ACCESS, REFRESH)
            for words, said in (
                ("session revoke --all", "its session was ended: revoked_by_operator"),
                ("client disable web", "its client is disabled or deleted"),
                ("user disable alice", "its user is disabled or deleted"),
            )
        ),
        pytest.param(ACCESS, NO_SCOPE, "no longer has the scope", id="access: scope"),
        pytest.param(REFRESH, NO_SCOPE, "no longer has the scope", id="refresh: scope"),
        pytest.param(REFRESH, NO_REFRESH, "or the grant refresh_token", id="refresh: grant"),
        pytest.param(OWN, NO_REFRESH, "or the grant", id="own: grant"),
        pytest.param(OWN, register_again, "was registered again", id="own: registered again"),
    ],
)
async def test_reason_for_an_inactive_token_is_reported(
    login: Login, kind: str, happen: Callable[[Login], object], words: str
) -> None:
    happen(login)

    # A disabled user's session has ended too.
    assert words in login.problems(login.tokens[kind])[0]


async def test_used_and_revoked_tokens_are_reported(login: Login) -> None:
    first = login.tokens
    second = await login.jeton.refreshed(login.app, first[REFRESH])
    third = await login.jeton.refreshed(login.app, second[REFRESH])
    assert login.problems(first[REFRESH]) == ["it was used: 2 newer ones have been issued since"]

    await login.jeton.revoke(login.app, third[ACCESS])
    assert login.problems(third[ACCESS]) == ["it was revoked"]

    await login.jeton.refresh(login.app, first[REFRESH])
    for token in (second[ACCESS], third[REFRESH]):
        assert login.problems(token) == ["its session was ended: refresh_token_reused"]


@pytest.mark.parametrize(
    "token", ["garbage", "", "jrt_short", "jrt_" + "A" * 76, "a.b.c", "a.b", "e30.W10.", "caf\u00e9", "x" * 20000]
)
def test_unknown_token_is_reported(cli: CommandLine, token: str) -> None:
    told = cli.json("token", "inspect", token)

    (problem,) = told["problems"]
    assert "forged, from another server" in problem or "neither a JWT nor a refresh token" in problem
    assert not told["active"]


async def test_truncated_token_is_reported(login: Login) -> None:
    for kind in (ACCESS, REFRESH):
        assert login.problems(login.tokens[kind][:-1]) != []


@pytest.mark.parametrize("text", ["\0", "\ud800"])
def test_forged_claims_that_no_database_can_store_are_shown(database_url: str, text: str) -> None:
    cli = CommandLine({"JETON_DATABASE__URL": database_url, "JETON_SECRETS__MASTER_KEY": MASTER_KEY})
    token = f"{encoded({'alg': 'RS256'})}.{encoded({'sub': text, 'client_id': text})}.AAAA"
    assert cli.json("token", "inspect", token)["claims"]["sub"] == text
