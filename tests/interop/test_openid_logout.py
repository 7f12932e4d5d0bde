"""Modules of the profile RP-Initiated Logout OP: each test is named after its module."""

from collections.abc import AsyncIterator

import jwt
import pytest

from interop.relying_party import SIGNED_OUT, RelyingParty, add_alice
from support.browsing import browser
from support.in_process_server import Running

PATH = "/oauth/logout"


@pytest.fixture
async def party(jeton: Running) -> AsyncIterator[RelyingParty]:
    add_alice(jeton)
    async with browser(jeton) as visitor:
        yield RelyingParty.registered(jeton, visitor)


async def hint(party: RelyingParty) -> str:
    """Sign in. Return the ID token."""
    return str((await party.signed_in())["id_token"])


async def is_signed_in(party: RelyingParty) -> bool:
    await party.request(prompt="none")
    return party.answer.get("error") != "login_required"


async def confirm(party: RelyingParty) -> None:
    """Answer the page that asks whether to sign out."""
    assert "Sign out?" in party.browser.page.text
    await party.browser.submit("/oauth/logout/confirm")


@pytest.mark.requirement("LO01", "LO04")
@pytest.mark.parametrize(
    ("parameters", "target"),
    [
        ({"post_logout_redirect_uri": SIGNED_OUT, "state": "a state"}, f"{SIGNED_OUT}?state=a+state"),
        ({"post_logout_redirect_uri": SIGNED_OUT}, SIGNED_OUT),
        ({"state": "a state"}, None),
    ],
    ids=["rp_initiated_logout", "no_state", "no_post_logout_redirect_uri"],
)
async def test_oidcc_rp_initiated_logout(party: RelyingParty, parameters: dict[str, str], target: str | None) -> None:
    page = await party.browser.get(PATH, None, id_token_hint=await hint(party), **parameters)

    assert page.headers.get("location") == target
    assert target or party.browser.path == "/signed-out"
    assert not await is_signed_in(party)


@pytest.mark.requirement("LO02", "LO04")
@pytest.mark.parametrize("parameters", [{}, {"state": "a state"}], ids=["no_params", "only_state"])
async def test_oidcc_rp_initiated_logout_nothing_named(party: RelyingParty, parameters: dict[str, str]) -> None:
    await hint(party)
    await party.browser.get(PATH, None, **parameters)
    await confirm(party)

    assert party.browser.path == "/signed-out"
    assert not await is_signed_in(party)


def modified(token: str, change: str) -> str:
    header, claims, signature = token.split(".")
    unsigned = jwt.encode({}, key="", algorithm="none").partition(".")[0]
    return {
        "": token,
        "signature": f"{header}.{claims}.{signature[::-1]}",
        "claims": f"{header}.{claims[:-4]}AAAA.{signature}",
        "no signature": f"{unsigned}.{claims}.",
    }[change]


@pytest.mark.requirement("LO02", "LO03")
@pytest.mark.parametrize(
    ("uri", "change"),
    [
        (f"{SIGNED_OUT}/other", ""),
        (f"{SIGNED_OUT}?foo=bar", ""),
        # Without a client the redirect URI cannot be checked; a modified hint is ignored.
        (SIGNED_OUT, None),
        *((SIGNED_OUT, it) for it in ("signature", "claims", "no signature")),
    ],
    ids=["bad_uri", "query_added_to_uri", "no_hint", "modified_signature", "modified_claims", "bad_hint"],
)
async def test_oidcc_rp_initiated_logout_error(party: RelyingParty, uri: str, change: str | None) -> None:
    token = await hint(party)
    hinted = {} if change is None else {"id_token_hint": modified(token, change)}
    page = await party.browser.get(PATH, None, **hinted, post_logout_redirect_uri=uri, state="a state")

    assert (page.status_code, party.browser.path) == (400, PATH)
    assert await is_signed_in(party)
