"""Modules of the profile RP-Initiated Logout OP: each test is named after its module."""

from collections.abc import AsyncIterator

import jwt
import pytest

from interop.relying_party import SIGNED_OUT, RelyingParty, add_alice
from support.browsing import browser
from support.in_process_server import ISSUER, Running

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
    """Answer the question whether to sign out."""
    assert "Sign out?" in party.browser.page.text
    await party.browser.submit("/oauth/logout/confirm")


@pytest.mark.requirement("LO01", "LO04")
async def test_oidcc_rp_initiated_logout(party: RelyingParty) -> None:
    token = await hint(party)
    page = await party.browser.get(PATH, id_token_hint=token, post_logout_redirect_uri=SIGNED_OUT, state="a state")

    assert page.headers["location"] == f"{SIGNED_OUT}?state=a+state"
    assert not await is_signed_in(party)


@pytest.mark.requirement("LO01", "LO04")
async def test_oidcc_rp_initiated_logout_no_state(party: RelyingParty) -> None:
    token = await hint(party)
    page = await party.browser.get(PATH, id_token_hint=token, post_logout_redirect_uri=SIGNED_OUT)

    assert page.headers["location"] == SIGNED_OUT
    assert not await is_signed_in(party)


@pytest.mark.requirement("LO01", "LO04")
async def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(party: RelyingParty) -> None:
    await party.browser.get(PATH, id_token_hint=await hint(party), state="a state")

    assert party.browser.path == "/signed-out"
    assert not await is_signed_in(party)


@pytest.mark.requirement("LO02", "LO04")
@pytest.mark.parametrize("parameters", [{}, {"state": "a state"}], ids=["no_params", "only_state"])
async def test_oidcc_rp_initiated_logout_nothing_named(party: RelyingParty, parameters: dict[str, str]) -> None:
    await hint(party)
    await party.browser.get(PATH, None, **parameters)
    await confirm(party)

    assert party.browser.path == "/signed-out"
    assert not await is_signed_in(party)


@pytest.mark.requirement("LO03")
@pytest.mark.parametrize("uri", [f"{SIGNED_OUT}/other", f"{SIGNED_OUT}?foo=bar"], ids=["bad", "query_added_to"])
async def test_oidcc_rp_initiated_logout_post_logout_redirect_uri(party: RelyingParty, uri: str) -> None:
    page = await party.browser.get(PATH, id_token_hint=await hint(party), post_logout_redirect_uri=uri, state="s")

    assert (page.status_code, party.browser.path) == (400, PATH)
    assert await is_signed_in(party)


@pytest.mark.requirement("LO02", "LO03")
async def test_oidcc_rp_initiated_logout_no_id_token_hint(party: RelyingParty) -> None:
    """Without a client nobody knows the redirect URI: an error page."""
    await hint(party)
    page = await party.browser.get(PATH, post_logout_redirect_uri=SIGNED_OUT, state="a state")

    assert (page.status_code, party.browser.path) == (400, PATH)


@pytest.mark.requirement("LO02", "LO03")
@pytest.mark.parametrize("change", ["signature", "claims", "no signature"])
async def test_oidcc_rp_initiated_logout_id_token_hint(party: RelyingParty, change: str) -> None:
    """Modified, or with the algorithm `none`: such a hint counts for nothing."""
    header, claims, signature = (await hint(party)).split(".")
    unsigned = jwt.encode({}, key="", algorithm="none").partition(".")[0]
    token = {
        "signature": f"{header}.{claims}.{signature[::-1]}",
        "claims": f"{header}.{claims[:-4]}AAAA.{signature}",
        "no signature": f"{unsigned}.{claims}.",
    }[change]
    page = await party.browser.get(PATH, id_token_hint=token, post_logout_redirect_uri=SIGNED_OUT, state="a state")

    assert (page.status_code, party.browser.path) == (400, PATH)
    assert await is_signed_in(party)


@pytest.mark.requirement("LO01", "OI51")
async def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(party: RelyingParty) -> None:
    metadata = (await party.jeton.http.get("/.well-known/openid-configuration")).json()

    assert metadata["end_session_endpoint"] == ISSUER + PATH
