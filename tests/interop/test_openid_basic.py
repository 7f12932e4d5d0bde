"""Modules of the profiles Basic, Config and, with `form_post`, Form Post OP: each test is named after its module."""

from collections.abc import AsyncIterator
from uuid import uuid4

import jwt
import pytest

from interop.relying_party import PROFILE, SCOPES, RelyingParty, add_alice
from support.authorization_codes import CHALLENGE, VERIFIER, add_app
from support.browsing import authorization_parameters, browser
from support.builders import CALLBACK
from support.in_process_server import ISSUER, Running


@pytest.fixture(scope="module")
def jeton(shared_jeton: Running) -> Running:
    """A server for all modules, each of which has its own client and browser."""
    add_alice(shared_jeton)
    return shared_jeton


@pytest.fixture(params=["query", "form_post"])
async def party(jeton: Running, request: pytest.FixtureRequest) -> AsyncIterator[RelyingParty]:
    own = {"client_id": f"app-{uuid4().hex}", "auth_methods": frozenset({"client_secret_basic"})}
    async with browser(jeton) as visitor:
        yield RelyingParty.registered(jeton, visitor, request.param, **own)


@pytest.mark.requirement("OI01", "OI20", "OI22", "OI25", "OI26", "RR11")
async def test_oidcc_server(party: RelyingParty) -> None:
    answer = await party.authorized(state="a state")
    tokens = (await party.redeem(answer)).json()
    claims = await party.claims(tokens)

    assert answer.keys() == {"code", "state", "iss"}
    assert answer["state"] == "a state"
    assert (tokens["token_type"], claims["nonce"]) == ("Bearer", "a nonce")
    assert 0 < len(claims["sub"]) <= 255


@pytest.mark.requirement("OI24", "G07")
async def test_oidcc_idtoken_signature(party: RelyingParty) -> None:
    tokens = await party.signed_in()

    assert jwt.get_unverified_header(tokens["id_token"]).keys() == {"alg", "kid", "typ"}
    assert (await party.claims(tokens))["aud"] == party.app.client_id


@pytest.mark.requirement("OI40", "OI42")
@pytest.mark.parametrize("way", ["get", "post_header", "post_body"])
async def test_oidcc_userinfo(party: RelyingParty, way: str) -> None:
    tokens = await party.signed_in()
    form = {"access_token": tokens["access_token"]} if way == "post_body" else None
    headers = None if form else {"Authorization": f"Bearer {tokens['access_token']}"}
    method = "GET" if way == "get" else "POST"
    response = await party.jeton.http.request(method, "/oauth/userinfo", data=form, headers=headers)

    assert response.json()["sub"] == (await party.claims(tokens))["sub"]


@pytest.mark.requirement("OI22")
async def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(party: RelyingParty) -> None:
    assert "nonce" not in await party.claims(await party.signed_in(nonce=None))


@pytest.mark.requirement("OI13", "OI43", "OI44")
@pytest.mark.parametrize(
    ("scope", "names"),
    [
        ("profile", {"name", "given_name", "family_name", "zoneinfo", "locale", "preferred_username", "updated_at"}),
        ("email", {"email", "email_verified"}),
        ("address", {"address"}),
        ("phone", {"phone_number", "phone_number_verified"}),
    ],
)
async def test_oidcc_scope(party: RelyingParty, scope: str, names: set[str]) -> None:
    claims = await party.userinfo(await party.signed_in(scope=f"openid {scope}"))

    assert claims.keys() == {"sub", *names}
    assert claims | {name: PROFILE[name] for name in names & PROFILE.keys()} == claims


@pytest.mark.requirement("OI43")
async def test_oidcc_scope_all(party: RelyingParty) -> None:
    claims = await party.userinfo(await party.signed_in(scope="openid profile email address phone"))

    assert claims.keys() >= {"sub", "email", *PROFILE}


@pytest.mark.requirement("A17", "OI01")
async def test_oidcc_alternate_happy_flow(party: RelyingParty) -> None:
    """The order of scopes and parameters differs."""
    parameters = authorization_parameters(party.app, scope="email openid", nonce="n", response_mode=party.response_mode)
    await party.browser.get("/oauth/authorize", **dict(reversed(parameters.items())))
    response = await party.redeem(await party.go_through_pages(), code_verifier=VERIFIER)

    assert (await party.userinfo(response.json()))["email"] == "alice@example.com"


@pytest.mark.requirement("CN03", "OI03", "OI04", "OI05", "OI21")
@pytest.mark.parametrize(
    ("parameters", "signs_in_again"),
    [({"prompt": "login"}, True), ({"max_age": 1}, True), ({"max_age": 10000}, False), ({"prompt": "none"}, False)],
    ids=["prompt_login", "max_age_1", "max_age_10000", "prompt_none_logged_in"],
)
async def test_oidcc_second_request(
    party: RelyingParty, parameters: dict[str, str | int], signs_in_again: bool
) -> None:
    first = await party.claims(await party.signed_in())
    party.jeton.clock.advance(2)
    await party.request(**parameters)
    assert (party.browser.path == "/sign-in") is signs_in_again
    answer = await party.go_through_pages()
    second = await party.claims((await party.redeem(answer)).json())

    assert (second["auth_time"] > first["auth_time"]) is signs_in_again
    assert signs_in_again or second["auth_time"] == first["auth_time"]
    assert second["sub"] == first["sub"]


@pytest.mark.requirement("OI08")
async def test_oidcc_id_token_hint(party: RelyingParty) -> None:
    first = await party.signed_in()
    await party.request(prompt="none", id_token_hint=first["id_token"])
    second = await party.redeem(party.answer)

    assert (await party.claims(second.json()))["sub"] == (await party.claims(first))["sub"]


@pytest.mark.requirement("OI06", "OI09", "A14")
@pytest.mark.parametrize(
    "parameters",
    [
        {"display": "page"},
        {"display": "popup"},
        {"extra": "foobar"},
        {"login_hint": "bob@example.com"},
        {"ui_locales": "se"},
        {"ui_locales": "nb-NO de"},
        {"claims_locales": "se"},
        {"acr_values": "1 2"},
        {"claims": '{"userinfo":{"name":{"essential":true}}}'},
    ],
    ids=[
        *("display_page", "display_popup", "ensure_request_with_unknown_parameter_succeeds", "login_hint"),
        *("ui_locales", "ui_locales_known", "claims_locales", "ensure_request_with_acr_values_succeeds"),
        "claims_essential",
    ],
)
async def test_oidcc_parameter(party: RelyingParty, parameters: dict[str, str]) -> None:
    """The parameters do not change the outcome."""
    assert "sub" in await party.claims(await party.signed_in(**parameters))


@pytest.mark.requirement("A27", "CO04", "CO05")
@pytest.mark.parametrize("seconds", [0, 30], ids=["codereuse", "codereuse_30seconds"])
async def test_oidcc_codereuse(party: RelyingParty, seconds: int) -> None:
    answer = await party.authorized()
    tokens = (await party.redeem(answer)).json()
    party.jeton.clock.advance(seconds)
    second = await party.redeem(answer)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}

    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")
    assert (await party.jeton.http.get("/oauth/userinfo", headers=headers)).status_code == 401


@pytest.mark.requirement("RA05", "RA06")
async def test_oidcc_ensure_registered_redirect_uri(party: RelyingParty) -> None:
    page = await party.request(redirect_uri=f"{CALLBACK}/other")

    assert (page.status_code, party.browser.path) == (400, "/oauth/authorize")


@pytest.mark.requirement("RA01")
async def test_oidcc_ensure_post_request_succeeds(party: RelyingParty) -> None:
    parameters = authorization_parameters(party.app, scope="openid", response_mode=party.response_mode)
    await party.browser.post("/oauth/authorize", parameters)
    response = await party.redeem(await party.go_through_pages(), code_verifier=VERIFIER)

    assert "sub" in await party.claims(response.json())


@pytest.mark.requirement("A06", "A10")
async def test_oidcc_server_client_secret_post(party: RelyingParty) -> None:
    own = {"client_id": f"post-{party.response_mode}", "auth_methods": frozenset({"client_secret_post"})}
    post = RelyingParty.registered(party.jeton, party.browser, party.response_mode, **own)
    answer = await post.authorized()
    credentials = {"client_id": post.app.client_id, "client_secret": post.app.secret or ""}
    form = {"grant_type": "authorization_code", "code": answer["code"], "redirect_uri": CALLBACK, **credentials}
    response = await party.jeton.http.post("/oauth/token", data=form)

    assert (await post.claims(response.json()))["nonce"] == "a nonce"


@pytest.mark.requirement("OI03", "RA06", "RA11", "RA20")
@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"request_uri": "https://app.example/request"}, "request_uri_not_supported"),
        ({"request": "https://app.example/request"}, "request_not_supported"),
        # A redirect URI inside a request object is not read: the object is refused at the registered one.
        ({"request": jwt.encode({"redirect_uri": "https://evil.example/"}, "", "none")}, "request_not_supported"),
    ],
    ids=[
        *("response_type_missing", "prompt_none_not_logged_in", "request_uri_unsigned", "unsigned_request_object"),
        "ensure_request_object_with_redirect_uri",
    ],
)
async def test_oidcc_error(party: RelyingParty, parameters: dict[str, str | None], error: str) -> None:
    await party.request(**parameters)

    assert party.answer["error"] == error


@pytest.mark.requirement("OI14", "OI15", "OI27")
async def test_oidcc_refresh_token(party: RelyingParty) -> None:
    first = await party.signed_in(scope="openid offline_access", prompt="consent")
    party.jeton.clock.advance(2)
    second = await party.jeton.refreshed(party.app, first["refresh_token"])
    before, after = await party.claims(first), await party.claims(second)

    kept = ("iss", "sub", "aud", "auth_time")
    assert [after[name] for name in kept] == [before[name] for name in kept]
    assert after["iat"] > before["iat"]


@pytest.mark.requirement("RA14", "CO07")
async def test_oidcc_ensure_request_with_valid_pkce_succeeds(party: RelyingParty) -> None:
    answer = await party.authorized(code_challenge=CHALLENGE, code_challenge_method="S256")
    response = await party.redeem(answer, code_verifier=VERIFIER)

    assert (await party.claims(response.json()))["nonce"] == "a nonce"


REQUIRED = {
    *("issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"),
    *("response_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported"),
}
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k"}


@pytest.mark.requirement("OI50", "OI51", "OI52", "OI53", "OI55", "OI56", "H01", "LO01")
async def test_oidcc_discovery_endpoint_verification(shared_jeton: Running) -> None:
    add_app(shared_jeton, scope=SCOPES)
    response = await shared_jeton.http.get("/.well-known/openid-configuration")
    metadata = response.json()

    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert metadata.keys() >= REQUIRED
    assert (metadata["issuer"], metadata["end_session_endpoint"]) == (ISSUER, f"{ISSUER}/oauth/logout")
    assert metadata["backchannel_logout_supported"] is metadata["backchannel_logout_session_supported"] is True
    assert "code" in metadata["response_types_supported"]
    assert metadata["id_token_signing_alg_values_supported"] == ["RS256"], "none is not offered"
    assert metadata["subject_types_supported"] == ["public"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert [metadata[f"{it}_parameter_supported"] for it in ("claims", "request", "request_uri")] == [False] * 3
    assert {"en", "de"} <= set(metadata["ui_locales_supported"])
    assert [name for name, value in metadata.items() if value in ([], "", None)] == []
    assert "openid" in metadata["scopes_supported"]
    assert all(url.startswith(ISSUER) for name, url in metadata.items() if name.endswith(("_endpoint", "_uri")))

    keys = (await shared_jeton.http.get(metadata["jwks_uri"])).json()["keys"]
    assert keys
    assert len({key["kid"] for key in keys}) == len(keys)
    assert not any(key.keys() & PRIVATE for key in keys)
    assert {key["use"] for key in keys} == {"sig"}
