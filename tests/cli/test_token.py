"""jeton token inspect: what a token is, and every kind of thing that can be wrong with it."""

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
    """A server with one session on it, and the command line beside it."""

    cli: CommandLine
    jeton: Running
    app: App
    tokens: dict[str, Any]

    def problems(self, token: str) -> list[str]:
        """What is wrong with it, as both forms of the command say it."""
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


async def test_a_good_access_token_is_decoded(login: Login) -> None:
    told = login.cli.json("token", "inspect", login.tokens["access_token"])

    assert (told["kind"], told["active"], told["problems"]) == ("access token", True, [])
    assert told["header"]["typ"] == "at+jwt"
    assert (told["claims"]["iss"], told["claims"]["client_id"]) == (ISSUER, "web")


async def test_a_good_refresh_token_is_decoded(login: Login) -> None:
    told = login.cli.json("token", "inspect", login.tokens["refresh_token"])

    assert (told["kind"], told["active"], told["problems"]) == ("refresh token", True, [])
    assert (told["claims"]["client_id"], told["claims"]["generation"]) == ("web", 0)


async def test_header_and_claims_are_printed_for_people_too(login: Login) -> None:
    text = login.cli.text("token", "inspect", login.tokens["access_token"])

    assert text.startswith("access token: active\nheader: {")
    assert '"client_id": "web"' in text


async def test_a_client_s_own_token_is_good_without_a_session(login: Login) -> None:
    token = (await login.jeton.token(login.app, grant_type="client_credentials")).json()["access_token"]

    assert login.problems(token) == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_token_can_come_from_standard_input(login: Login, kind: str) -> None:
    told = login.cli.json("token", "inspect", "-", stdin=login.tokens[kind] + "\n")

    assert (told["kind"], told["active"]) == (KINDS[kind], True)


@pytest.mark.parametrize("kind", KINDS)
async def test_looking_changes_nothing(login: Login, kind: str) -> None:
    assert login.problems(login.tokens[kind]) == login.problems(login.tokens[kind]) == []
    assert (await login.jeton.refresh(login.app, login.tokens["refresh_token"])).status_code == 200


# Something is.


async def test_an_expired_access_token_is_told_with_how_long_ago(login: Login) -> None:
    login.jeton.clock.advance(310)

    assert login.problems(login.tokens["access_token"]) == ["it expired 10 seconds ago"]


async def test_an_expired_session_is_told(login: Login) -> None:
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
async def test_a_changed_access_token_is_told(
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
        ({"kid": "unknown"}, "kid is none of the published keys"),
        ({"kid": None}, "kid is none of the published keys"),
        ({"kid": ["a", "list"]}, "kid is none of the published keys"),
        ({"kid": {"an": "object"}}, "kid is none of the published keys"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
async def test_a_changed_header_is_told(login: Login, members: dict[str, Any], words: str) -> None:
    _, claims, signature = login.tokens["access_token"].split(".")
    kid = login.jeton.keyring.signer.kid
    changed = _encoded({"typ": "at+jwt", "alg": "RS256", "kid": kid} | members)

    problems = login.problems(f"{changed}.{claims}.{signature}")

    assert [problem for problem in problems if words in problem] != []


async def test_a_token_of_another_server_is_told(login: Login, tmp_path_factory: pytest.TempPathFactory) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('other')}/jeton.db"
    migrate(Database(url))
    async with running(settings_for(url)) as other:
        app = other.add_client()
        other.add_user()
        tokens = await other.log_in(app)

    (access_problem,) = login.problems(tokens["access_token"])
    (refresh_problem,) = login.problems(tokens["refresh_token"])

    assert "another server's token" in access_problem
    assert "another server's" in refresh_problem


async def test_a_token_of_a_revoked_key_is_told(login: Login) -> None:
    (active,) = [key["kid"] for key in login.cli.json("keys", "list") if key["state"] == "active"]
    login.cli.text("keys", "revoke", active)

    (problem,) = login.problems(login.tokens["access_token"])

    assert "its key was rotated out or revoked" in problem


async def test_another_issuer_s_token_is_told_though_its_key_is_ours(login: Login) -> None:
    elsewhere = login.cli.with_variables(SERVER__ISSUER="https://id.example")

    told = elsewhere.json("token", "inspect", login.tokens["access_token"])

    assert told["problems"] == ["its iss is not this server's issuer https://id.example"]


async def test_a_revoked_access_token_is_told(login: Login) -> None:
    await login.jeton.revoke(login.app, login.tokens["access_token"])

    assert login.problems(login.tokens["access_token"]) == ["it was revoked"]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_ended_session_is_told_with_the_reason(login: Login, kind: str) -> None:
    login.cli.text("session", "revoke", "--all")

    assert login.problems(login.tokens[kind]) == ["its session was ended: revoked_by_operator"]


async def test_a_spent_refresh_token_is_told_with_how_many_came_after(login: Login) -> None:
    second = await login.jeton.refreshed(login.app, login.tokens["refresh_token"])
    await login.jeton.refreshed(login.app, second["refresh_token"])

    assert login.problems(login.tokens["refresh_token"]) == ["it is spent: 2 newer ones were issued since"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_replay_is_told_as_what_ended_the_session(login: Login, kind: str) -> None:
    after = await login.jeton.refreshed(login.app, login.tokens["refresh_token"])
    await login.jeton.refresh(login.app, login.tokens["refresh_token"])

    assert login.problems(after[kind]) == ["its session was ended: refresh_token_reused"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_disabled_client_is_told(login: Login, kind: str) -> None:
    login.cli.text("client", "disable", "web")

    assert login.problems(login.tokens[kind]) == ["its client is disabled or gone"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_disabled_user_is_told(login: Login, kind: str) -> None:
    login.cli.text("user", "disable", "alice")

    assert "its user is disabled or gone" in login.problems(login.tokens[kind])


@pytest.mark.parametrize(
    "token",
    ["garbage", "", "jrt_short", "jrt_" + "A" * 76, "a.b.c", "a.b", "e30.W10.", "caf\u00e9", "x" * 20000],
)
async def test_what_is_no_token_of_ours_is_told(login: Login, token: str) -> None:
    (problem,) = login.problems(token)

    assert "another server's, forged" in problem or "neither a JWT nor a refresh token" in problem


@pytest.mark.parametrize("kind", KINDS)
async def test_a_cut_token_is_told(login: Login, kind: str) -> None:
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
async def test_what_introspection_calls_inactive_is_never_called_active_here(
    login: Login, kind: str, change: Callable[[Login], None]
) -> None:
    own = (await login.jeton.token(login.app, grant_type="client_credentials")).json()["access_token"]
    token = own if kind == "client's own" else login.tokens[kind]

    change(login)

    assert login.problems(token) != []
