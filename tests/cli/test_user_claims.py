"""jeton user set: claims about a user, and which of them apps receive."""

from typing import Any

import pytest

from support.cli_runner import CommandLine
from support.in_process_server import PASSWORD, Running


@pytest.fixture
def alice(cli: CommandLine) -> str:
    return str(cli.json("user", "add", "alice", "--password-stdin", "--role", "clerk", stdin=PASSWORD)["sub"])


async def userinfo(jeton: Running) -> dict[str, Any]:
    app = jeton.add_client(scope=frozenset({"openid", "profile", "email", "address", "phone"}))
    tokens = await jeton.log_in(app)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return dict((await jeton.http.get("/oauth/userinfo", headers=headers)).json())


@pytest.mark.requirement("OI43", "OI44")
async def test_claims_that_are_set_reach_apps(cli: CommandLine, jeton: Running, alice: str) -> None:
    claims = ("name=Alice Archer", "locale=de-AT", 'address={"locality": "Vienna"}', "phone_number=+43 1 234567")
    options = [it for claim in claims for it in ("--claim", claim)]

    shown = cli.json("user", "set", "alice", "--email", "alice@example.com", "--email-verified", *options)

    assert shown["claims"]["address"] == {"locality": "Vienna"}
    assert cli.json("user", "show", "alice") == shown
    assert await userinfo(jeton) == {
        "sub": alice,
        "name": "Alice Archer",
        "preferred_username": "alice",
        "locale": "de-AT",
        "updated_at": jeton.clock.now(),
        "email": "alice@example.com",
        "email_verified": True,
        "address": {"locality": "Vienna"},
        "phone_number": "+43 1 234567",
    }


def test_omitted_claims_stay_and_an_empty_value_removes_one(cli: CommandLine, alice: str) -> None:
    cli.json("user", "set", "alice", "--email", "a@example.com", "--claim", "name=A", "--claim", "locale=de")

    shown = cli.json("user", "set", "alice", "--claim", "name=")

    assert (shown["claims"], shown["email"], shown["roles"]) == ({"locale": "de"}, "a@example.com", ["clerk"])
    shown = cli.json("user", "set", "alice", "--email", "", "--role", "")
    assert (shown["email"], shown["roles"], shown["claims"]) == (None, [], {"locale": "de"})


@pytest.mark.requirement("OI44")
def test_another_address_is_not_verified_by_the_proof_of_the_one_before(cli: CommandLine, alice: str) -> None:
    cli.json("user", "set", "alice", "--email", "a@example.com", "--email-verified")
    assert cli.json("user", "set", "alice", "--claim", "name=A")["email_verified"] is True
    assert cli.json("user", "set", "alice", "--email", "a@example.com")["email_verified"] is True

    assert cli.json("user", "set", "alice", "--email", "b@example.com")["email_verified"] is False
    for more, claims in (("phone_number_verified=true", {"phone_number_verified": True}), ("name=A", {})):
        number = {"phone_number": "+43 1 23456" + str(len(claims))}
        options = ("--claim", f"phone_number={number['phone_number']}", "--claim", more)
        assert cli.json("user", "set", "alice", *options)["claims"] == {"name": "A", **number, **claims}


@pytest.mark.parametrize("email", [(), ("--email", "")], ids=["never had one", "removed"])
def test_no_address_cannot_be_verified(cli: CommandLine, alice: str, email: tuple[str, ...]) -> None:
    said = cli.refused("user", "set", "alice", *email, "--email-verified")

    assert said == "there is no e-mail address that could be verified: set one with --email"


async def test_new_address_works_for_login_and_the_old_does_not(cli: CommandLine, jeton: Running, alice: str) -> None:
    cli.json("user", "set", "alice", "--email", "a@example.com")
    cli.json("user", "set", "alice", "--email", "b@example.com")
    app = jeton.add_client()

    async def status(username: str) -> int:
        return (await jeton.token(app, grant_type="password", username=username, password=PASSWORD)).status_code

    assert (await status("b@example.com"), await status("a@example.com")) == (200, 400)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--email", "bob@example.com"), "another user"),
        (("--email", "BOB@example.com"), "another user"),
        (("--email", "nonsense"), "e-mail"),
        (("--claim", "colour=red"), "there is no claim"),
        (("--claim", "website=http://a.example"), "website must be an https URL"),
        (("--role", "two words"), "role"),
    ],
)
def test_invalid_changes_are_refused_whole(cli: CommandLine, alice: str, options: tuple[str, ...], words: str) -> None:
    cli.json("user", "add", "bob", "--email", "bob@example.com", "--generate-password")
    before = cli.json("user", "show", "alice")

    assert words in cli.refused("user", "set", "alice", "--claim", "nickname=Al", *options)
    assert cli.json("user", "show", "alice") == before


def test_a_claim_is_written_as_name_and_value(cli: CommandLine, alice: str) -> None:
    assert "NAME=VALUE" in cli.misused("user", "set", "alice", "--claim", "name")
