"""jeton keys: administration of signing keys."""

from typing import Any

import jwt
import pytest

from jeton.crypto.master_key import generate_master_key
from jeton.rules.key_lifecycle import CLOCK_SKEW_SECONDS, PROPAGATION_SECONDS
from support.cli_runner import CommandLine
from support.in_process_server import START, App, ManualClock, Running

MEMBERS = {
    *("kid", "algorithm", "rsa_bits", "store", "state", "becomes", "becomes_at"),
    *("created_at", "ready_at", "activated_at", "gone_at"),
}
DAY = 86400


def _kid(keys: list[dict[str, Any]], state: str) -> str:
    (found,) = [key["kid"] for key in keys if key["state"] == state]
    return str(found)


async def _signer(jeton: Running, app: App) -> str:
    token = (await jeton.token(app, grant_type="client_credentials")).json()["access_token"]
    return str(jwt.get_unverified_header(token)["kid"])


def test_list_contains_states_and_no_private_parts(cli: CommandLine) -> None:
    listed = cli.json("keys", "list")

    assert sorted(key["state"] for key in listed) == ["active", "next"]
    assert all(key.keys() == MEMBERS for key in listed)
    assert {(key["algorithm"], key["rsa_bits"], key["store"]) for key in listed} == {("RS256", 2048, "database")}
    assert {(key["created_at"], key["ready_at"]) for key in listed} == {(START, START)}


def test_list_contains_next_transition_and_its_time(cli: CommandLine) -> None:
    cli.text("keys", "rotate")
    revoked = _kid(cli.json("keys", "list"), "next")
    listed = cli.json("keys", "revoke", revoked)

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

    assert sorted(key["state"] for key in cli.json("keys", "list")) == ["active", "next"]


def test_list_without_json_is_a_table(cli: CommandLine) -> None:
    header, *lines = cli.text("keys", "list").splitlines()

    assert header.split()[:5] == ["kid", "algorithm", "state", "becomes", "becomes_at"]
    assert {line.split()[0] for line in lines} == {key["kid"] for key in cli.json("keys", "list")}


@pytest.mark.requirement("O14")
async def test_running_server_signs_with_next_key_after_rotation(cli: CommandLine, jeton: Running) -> None:
    app, before = jeton.add_client(), cli.json("keys", "list")

    after = cli.json("keys", "rotate")
    jeton.maintenance.refresh()

    assert sorted(key["state"] for key in after) == ["active", "next", "retiring"]
    assert await _signer(jeton, app) == _kid(after, "active") == _kid(before, "next")
    assert cli.json("keys", "list") == after


@pytest.mark.requirement("O14")
async def test_early_rotation_is_done_by_server_when_next_key_is_ready(cli: CommandLine, jeton: Running) -> None:
    before, app = cli.json("keys", "rotate"), jeton.add_client()

    asked = cli.json("keys", "rotate")

    assert _kid(asked, "active") == _kid(before, "active")
    assert {key["becomes_at"] for key in asked if key["state"] in ("active", "next")} == {START + DAY}
    jeton.clock.advance(DAY)
    jeton.maintenance.refresh()
    assert await _signer(jeton, app) == _kid(before, "next")


def test_repeated_early_rotation_changes_nothing(cli: CommandLine, clock: ManualClock) -> None:
    cli.text("keys", "rotate")
    asked = cli.json("keys", "rotate")
    clock.advance(5)

    assert cli.json("keys", "rotate") == asked


def test_rotation_can_be_forced_once_next_key_is_published_everywhere(cli: CommandLine, clock: ManualClock) -> None:
    before = cli.json("keys", "rotate")

    assert "try again in 15 s" in cli.refused("keys", "rotate", "--now")
    assert cli.json("keys", "list") == before
    clock.advance(PROPAGATION_SECONDS)
    assert _kid(cli.json("keys", "rotate", "--now"), "active") == _kid(before, "next")


@pytest.mark.requirement("O14")
async def test_revoked_key_is_not_published_and_sessions_continue(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client()
    jeton.add_user()
    tokens = await jeton.log_in(app)
    before = cli.json("keys", "list")

    after = cli.json("keys", "revoke", _kid(before, "active"))
    jeton.maintenance.refresh()

    assert _kid(after, "revoked") == _kid(before, "active")
    assert _kid(after, "active") == _kid(before, "next")
    assert await jeton.introspect(app, tokens["access_token"]) == {"active": False}
    assert (await jeton.refresh(app, tokens["refresh_token"])).status_code == 200


@pytest.mark.requirement("D05")
async def test_tokens_of_revoked_key_are_inactive_immediately(cli: CommandLine, jeton: Running) -> None:
    app = jeton.add_client()
    token = (await jeton.token(app, grant_type="client_credentials")).json()["access_token"]

    cli.text("keys", "revoke", _kid(cli.json("keys", "list"), "active"))

    # Without waiting for the server's next look at the database.
    assert await jeton.introspect(app, token) == {"active": False}


def test_revoke_without_json_prints_the_changed_keys(cli: CommandLine) -> None:
    before = cli.json("keys", "list")

    text = cli.text("keys", "revoke", _kid(before, "next"))

    assert [line.split()[2] for line in text.splitlines() if _kid(before, "next") in line] == ["revoked"]
    assert [line.split()[2] for line in text.splitlines() if _kid(before, "active") in line] == ["active"]


@pytest.mark.parametrize("kid", ["unknown", ""])
def test_unknown_key_is_refused_with_advice(cli: CommandLine, kid: str) -> None:
    before = cli.json("keys", "list")

    assert "jeton keys list" in cli.refused("keys", "revoke", kid)
    assert cli.json("keys", "list") == before


def test_revoke_without_kid_is_wrong_usage(cli: CommandLine) -> None:
    assert "KID" in cli.misused("keys", "revoke")


@pytest.mark.requirement("O14")
@pytest.mark.parametrize("command", ["rotate", "revoke"])
def test_wrong_master_key_changes_no_signing_key(cli: CommandLine, command: str) -> None:
    before = cli.json("keys", "list")
    words = ("keys", "rotate", "--now") if command == "rotate" else ("keys", "revoke", _kid(before, "active"))

    result = cli.with_variables(SECRETS__MASTER_KEY=generate_master_key()).run(*words)

    assert cli.json("keys", "list") == before
    assert (result.exit_code, "secrets.master_key" in str(result.exception)) == (1, True)


def test_missing_master_key_file_changes_and_creates_no_signing_key(cli: CommandLine) -> None:
    before = cli.json("keys", "list")

    sentence = cli.with_variables(SECRETS__MASTER_KEY="").refused("keys", "rotate", "--now")

    assert "restore the file" in sentence
    assert cli.json("keys", "list") == before


@pytest.mark.requirement("F07")
def test_malformed_master_key_is_refused_and_not_printed(cli: CommandLine) -> None:
    sentence = cli.with_variables(SECRETS__MASTER_KEY="not-a-good-master-key").refused("keys", "rotate")

    assert "32 random bytes in base64url" in sentence
    assert "not-a-good-master-key" not in sentence


def test_command_with_other_settings_does_not_change_key_type(cli: CommandLine) -> None:
    after = cli.with_variables(KEYS__ALGORITHM="ES256").json("keys", "rotate")

    assert {key["algorithm"] for key in after} == {"RS256"}


def test_kid_that_begins_with_a_hyphen_is_not_an_option(cli: CommandLine) -> None:
    assert cli.refused("keys", "revoke", "-Dnz7WXknlLc") == "there is no key -Dnz7WXknlLc: see `jeton keys list`"


@pytest.mark.parametrize("identifier", ["-hat", "-j", "--hat", "-6h"])
def test_sid_that_looks_like_options_is_not_parsed_as_options(cli: CommandLine, identifier: str) -> None:
    for words in (["keys", "revoke"], ["session", "revoke"]):
        assert identifier in cli.refused(*words, identifier)
