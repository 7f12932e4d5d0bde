"""jeton token inspect: content of tokens, and every reason why one is not active."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from jeton.storage.clients import delete_client
from jeton.storage.database import Database
from jeton.storage.migrate import migrate
from jeton.storage.tables import issued_identifiers
from support.cli_runner import CommandLine
from support.in_process_server import ISSUER, App, Running, running, settings_for

KINDS = {"access_token": "access token", "refresh_token": "refresh token"}


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
    return Login(cli, jeton, app, await jeton.log_in(app))


def _encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


# Nothing is wrong.


async def test_active_access_token_is_decoded(login: Login) -> None:
    told = login.cli.json("token", "inspect", login.tokens["access_token"])

    assert (told["kind"], told["active"], told["problems"]) == ("access token", True, [])
    assert told["header"]["typ"] == "at+jwt"
    assert (told["claims"]["iss"], told["claims"]["client_id"]) == (ISSUER, "web")


async def test_active_refresh_token_is_decoded(login: Login) -> None:
    told = login.cli.json("token", "inspect", login.tokens["refresh_token"])

    assert (told["kind"], told["active"], told["problems"]) == ("refresh token", True, [])
    assert (told["claims"]["client_id"], told["claims"]["generation"]) == ("web", 0)


async def test_inspect_without_json_prints_header_and_claims(login: Login) -> None:
    text = login.cli.text("token", "inspect", login.tokens["access_token"])

    assert text.startswith("access token: active\nheader: {")
    assert '"client_id": "web"' in text


async def test_client_credentials_token_is_active_without_session(login: Login) -> None:
    token = (await login.jeton.token(login.app, grant_type="client_credentials")).json()["access_token"]

    assert login.problems(token) == []


@pytest.mark.parametrize("kind", KINDS)
async def test_token_is_read_from_stdin(login: Login, kind: str) -> None:
    told = login.cli.json("token", "inspect", "-", stdin=login.tokens[kind] + "\n")

    assert (told["kind"], told["active"]) == (KINDS[kind], True)


@pytest.mark.parametrize("kind", KINDS)
async def test_inspect_changes_nothing(login: Login, kind: str) -> None:
    assert login.problems(login.tokens[kind]) == login.problems(login.tokens[kind]) == []
    assert (await login.jeton.refresh(login.app, login.tokens["refresh_token"])).status_code == 200


# Something is.


async def test_expired_access_token_is_reported_with_its_age(login: Login) -> None:
    login.jeton.clock.advance(310)

    assert login.problems(login.tokens["access_token"]) == ["it expired 10 seconds ago"]


async def test_expired_session_is_reported(login: Login) -> None:
    login.jeton.clock.advance(1000)

    assert login.problems(login.tokens["refresh_token"]) == ["its session expired"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda header, claims, signature: [header, claims, signature[:-8] + "AAAAAAAA"], "signature is wrong"),
        (lambda header, claims, signature: [header, _encoded({"sub": "u_other"}), signature], "signature is wrong"),
        (lambda header, claims, signature: [header, claims, ""], "signature is wrong"),
    ],
    ids=["another signature", "other claims", "no signature"],
)
async def test_modified_access_token_is_reported(
    login: Login, change: Callable[[str, str, str], list[str]], words: str
) -> None:
    header, claims, signature = login.tokens["access_token"].split(".")

    (problem,) = login.problems(".".join(change(header, claims, signature)))

    assert words in problem


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"alg": "none"}, "signature is wrong"),
        ({"alg": "HS256"}, "signature is wrong"),
        ({"typ": "JWT"}, "typ is not at+jwt"),
        ({"kid": "unknown"}, "kid is not a published key"),
        ({"kid": None}, "kid is not a published key"),
        ({"kid": ["a", "list"]}, "kid is not a published key"),
        ({"kid": {"an": "object"}}, "kid is not a published key"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
async def test_modified_header_is_reported(login: Login, members: dict[str, Any], words: str) -> None:
    _, claims, signature = login.tokens["access_token"].split(".")
    kid = login.jeton.keyring.signer.kid
    changed = _encoded({"typ": "at+jwt", "alg": "RS256", "kid": kid} | members)

    problems = login.problems(f"{changed}.{claims}.{signature}")

    assert [problem for problem in problems if words in problem] != []


async def test_token_of_another_server_is_reported(login: Login, tmp_path_factory: pytest.TempPathFactory) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('other')}/jeton.db"
    migrate(Database(url))
    async with running(settings_for(url)) as other:
        app = other.add_client()
        other.add_user()
        tokens = await other.log_in(app)

    (access_problem,) = login.problems(tokens["access_token"])
    (refresh_problem,) = login.problems(tokens["refresh_token"])

    assert "another server's" in access_problem
    assert "from another server" in refresh_problem


async def test_token_of_revoked_key_is_reported(login: Login) -> None:
    (active,) = [key["kid"] for key in login.cli.json("keys", "list") if key["state"] == "active"]
    login.cli.text("keys", "revoke", active)

    (problem,) = login.problems(login.tokens["access_token"])

    assert "its key was rotated out or revoked" in problem


async def test_token_of_another_issuer_with_own_key_is_reported(login: Login) -> None:
    elsewhere = login.cli.with_variables(SERVER__ISSUER="https://id.example")

    told = elsewhere.json("token", "inspect", login.tokens["access_token"])

    assert told["problems"] == ["its iss is not this server's issuer https://id.example"]


async def test_revoked_access_token_is_reported(login: Login) -> None:
    await login.jeton.revoke(login.app, login.tokens["access_token"])

    assert login.problems(login.tokens["access_token"]) == ["it was revoked"]


@pytest.mark.parametrize("kind", KINDS)
async def test_revoked_session_is_reported_with_reason(login: Login, kind: str) -> None:
    login.cli.text("session", "revoke", "--all")

    assert login.problems(login.tokens[kind]) == ["its session was ended: revoked_by_operator"]


async def test_used_refresh_token_is_reported_with_number_of_successors(login: Login) -> None:
    second = await login.jeton.refreshed(login.app, login.tokens["refresh_token"])
    await login.jeton.refreshed(login.app, second["refresh_token"])

    assert login.problems(login.tokens["refresh_token"]) == ["it was used: 2 newer ones have been issued since"]


@pytest.mark.parametrize("kind", KINDS)
async def test_replay_is_reported_as_reason_of_revocation(login: Login, kind: str) -> None:
    after = await login.jeton.refreshed(login.app, login.tokens["refresh_token"])
    await login.jeton.refresh(login.app, login.tokens["refresh_token"])

    assert login.problems(after[kind]) == ["its session was ended: refresh_token_reused"]


@pytest.mark.parametrize("kind", KINDS)
async def test_disabled_client_is_reported(login: Login, kind: str) -> None:
    login.cli.text("client", "disable", "web")

    assert login.problems(login.tokens[kind]) == ["its client is disabled or deleted"]


@pytest.mark.parametrize("kind", KINDS)
async def test_disabled_user_is_reported(login: Login, kind: str) -> None:
    login.cli.text("user", "disable", "alice")

    assert "its user is disabled or deleted" in login.problems(login.tokens[kind])


@pytest.mark.parametrize(
    "token",
    ["garbage", "", "jrt_short", "jrt_" + "A" * 76, "a.b.c", "a.b", "e30.W10.", "caf\u00e9", "x" * 20000],
)
async def test_unknown_token_is_reported(login: Login, token: str) -> None:
    (problem,) = login.problems(token)

    assert "forged, from another server" in problem or "neither a JWT nor a refresh token" in problem


@pytest.mark.parametrize("kind", KINDS)
async def test_truncated_token_is_reported(login: Login, kind: str) -> None:
    assert login.problems(login.tokens[kind][:-1]) != []


def _take_the_scope_away(login: Login) -> None:
    login.cli.text("client", "set", "web", "--scope", "other")


def _take_the_refresh_grant_away(login: Login) -> None:
    login.cli.text("client", "set", "web", "--grant", "password")


def _register_the_client_again(login: Login) -> None:
    with login.jeton.database.write() as connection:
        delete_client(connection, "web")
        # As if it were the URL of a metadata document: no other client_id comes back.
        connection.execute(issued_identifiers.delete())
    login.jeton.clock.advance(1)
    login.jeton.add_client("web")


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("access_token", _take_the_scope_away),
        ("refresh_token", _take_the_scope_away),
        ("refresh_token", _take_the_refresh_grant_away),
        ("client's own", _take_the_refresh_grant_away),
        ("client's own", _register_the_client_again),
    ],
    ids=["access: scope", "refresh: scope", "refresh: grant", "own: grant", "own: registered again"],
)
async def test_token_inactive_at_introspection_is_never_reported_active(
    login: Login, kind: str, change: Callable[[Login], None]
) -> None:
    own = (await login.jeton.token(login.app, grant_type="client_credentials")).json()["access_token"]
    token = own if kind == "client's own" else login.tokens[kind]

    change(login)

    assert login.problems(token) != []
