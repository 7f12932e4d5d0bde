"""jeton keys: administration of signing keys."""

from typing import Any

import jwt
import pytest

from jeton.crypto.master_key import generate_master_key
from jeton.rules.key_lifecycle import CLOCK_SKEW_SECONDS, PROPAGATION_SECONDS
from support.cli_runner import CommandLine
from support.in_process_server import START, App, ManualClock, Running

MEMBERS = {
    *("kid", "signs", "algorithm", "rsa_bits", "store", "state", "becomes", "becomes_at"),
    *("created_at", "ready_at", "activated_at", "gone_at"),
}
DAY = 86400


def kid_of(keys: list[dict[str, Any]], state: str) -> str:
    (found,) = [key["kid"] for key in keys if key["state"] == state]
    return str(found)


def states(keys: list[dict[str, Any]]) -> list[str]:
    return sorted(key["state"] for key in keys)


async def issue(jeton: Running, app: App) -> tuple[str, str]:
    """Return an access token and the kid of its key."""
    token = (await jeton.token(app, grant_type="client_credentials")).json()["access_token"]
    return token, str(jwt.get_unverified_header(token)["kid"])


def test_list_contains_states_and_no_private_parts(cli: CommandLine) -> None:
    listed = cli.json("keys", "list")

    assert states(listed) == ["active", "next"]
    assert all(key.keys() == MEMBERS for key in listed)
    types = {(key["signs"], key["algorithm"], key["rsa_bits"], key["store"]) for key in listed}
    assert types == {("all", "RS256", 2048, "database")}
    assert {(key["created_at"], key["ready_at"]) for key in listed} == {(START, START)}


def test_list_contains_next_transition_and_its_time(cli: CommandLine) -> None:
    cli.text("keys", "rotate")
    listed = cli.json("keys", "revoke", kid_of(cli.json("keys", "list"), "next"))

    gone_at = START + PROPAGATION_SECONDS + 600 + 300 + CLOCK_SKEW_SECONDS
    assert {key["state"]: (key["becomes"], key["becomes_at"]) for key in listed} == {
        "active": ("retiring", START + 90 * DAY),
        "next": ("active", START + 90 * DAY),
        "retiring": ("gone", gone_at),
        "revoked": ("gone", gone_at - 600),
    }


def test_expired_key_is_not_listed(cli: CommandLine, clock: ManualClock) -> None:
    cli.text("keys", "rotate")
    clock.advance(DAY)

    assert states(cli.json("keys", "list")) == ["active", "next"]


def test_result_without_json_is_a_table_of_the_changed_keys(cli: CommandLine) -> None:
    before = cli.json("keys", "list")

    header, *lines = cli.text("keys", "list").splitlines()
    changed = [line.split() for line in cli.text("keys", "revoke", kid_of(before, "next")).splitlines()]

    assert header.split()[:6] == ["kid", "algorithm", "signs", "state", "becomes", "becomes_at"]
    assert {line.split()[0] for line in lines} == {key["kid"] for key in before}
    assert [kid_of(before, "active"), "RS256", "all", "active"] in [line[:4] for line in changed]
    assert [kid_of(before, "next"), "RS256", "all", "revoked"] in [line[:4] for line in changed]


@pytest.mark.requirement("O14")
async def test_server_signs_with_next_key_once_rotation_is_possible(cli: CommandLine, jeton: Running) -> None:
    app, before = jeton.add_client(), cli.json("keys", "list")

    # At once: with other settings too, the type of the keys stays what it is.
    after = cli.with_variables(KEYS__ALGORITHM="ES256").json("keys", "rotate")
    jeton.shared_state.refresh()

    assert states(after) == ["active", "next", "retiring"]
    assert {key["algorithm"] for key in after} == {"RS256"}
    assert (await issue(jeton, app))[1] == kid_of(after, "active") == kid_of(before, "next")
    assert cli.json("keys", "list") == after

    # Early: the server rotates when the next key is ready. A repeated request changes nothing.
    asked = cli.json("keys", "rotate")
    jeton.clock.advance(5)
    assert cli.json("keys", "rotate") == asked
    assert kid_of(asked, "active") == kid_of(after, "active")
    assert {key["becomes_at"] for key in asked if key["state"] in ("active", "next")} == {START + DAY}
    jeton.clock.advance(DAY - 5)
    jeton.shared_state.refresh()
    assert (await issue(jeton, app))[1] == kid_of(after, "next")


def test_rotation_can_be_forced_once_next_key_is_published_everywhere(cli: CommandLine, clock: ManualClock) -> None:
    before = cli.json("keys", "rotate")

    assert "try again in 15 s" in cli.refused("keys", "rotate", "--now")
    assert cli.json("keys", "list") == before
    clock.advance(PROPAGATION_SECONDS)
    assert kid_of(cli.json("keys", "rotate", "--now"), "active") == kid_of(before, "next")


@pytest.mark.requirement("D05", "O14")
async def test_revoked_key_ends_its_tokens_at_once_and_no_session(cli: CommandLine, jeton: Running, app: App) -> None:
    tokens, before = await jeton.log_in(app), cli.json("keys", "list")
    token, kid = await issue(jeton, app)

    after = cli.json("keys", "revoke", kid)

    # Without waiting for the server's next read of the database.
    for ended in (token, tokens["access_token"]):
        assert await jeton.introspect(app, ended) == {"active": False}
    assert (kid_of(after, "revoked"), kid_of(after, "active")) == (kid, kid_of(before, "next"))
    jeton.shared_state.refresh()
    assert (await jeton.refresh(app, tokens["refresh_token"])).status_code == 200


@pytest.mark.requirement("F07", "O14")
@pytest.mark.parametrize("words", ["rotate --now", "revoke ACTIVE", "revoke NEXT"])
@pytest.mark.parametrize(
    ("master_key", "reason"),
    [(generate_master_key(), "secrets.master_key"), ("", "restore the file"), ("too-short", "32 random bytes")],
    ids=["wrong", "missing", "malformed"],
)
def test_without_master_key_no_signing_key_changes(cli: CommandLine, words: str, master_key: str, reason: str) -> None:
    before = cli.json("keys", "list")

    kids = {it["state"].upper(): it["kid"] for it in before}
    said = cli.with_variables(SECRETS__MASTER_KEY=master_key).refused(
        "keys", *(kids.get(it, it) for it in words.split())
    )

    assert cli.json("keys", "list") == before
    assert reason in said
    assert "too-short" not in said


@pytest.mark.parametrize("identifier", ["unknown", "", "-Dnz7WXknlLc", "-hat", "-j", "--hat", "-6h"])
def test_unknown_identifier_is_refused_though_it_looks_like_an_option(cli: CommandLine, identifier: str) -> None:
    before = cli.json("keys", "list")

    for command in ("keys", "session"):
        said = cli.refused(command, "revoke", identifier)
        assert f"there is no {command.removesuffix('s')} {identifier}" in said
        assert f"`jeton {command} list`" in said
    assert cli.json("keys", "list") == before
