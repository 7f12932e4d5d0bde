"""An authorization request through the pages, as a browser without scripts sees it."""

import re
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs

from jeton.crypto.sealed_request import MAX_SEALED_CHARACTERS
from support.authorization_codes import CHALLENGE, VERIFIER, add_app, redeem
from support.browsing import Browser, authorization_parameters
from support.builders import CALLBACK
from support.in_process_server import ISSUER, PASSWORD, Running
from support.responses import outcome
from support.written_log import WrittenLog

AUTHORIZE = "/oauth/authorize"


@pytest.mark.requirement("A30", "CO09", "RA01", "RA13", "RR02", "RR03", "RR04", "CN01")
async def test_sign_in_and_consent_lead_to_the_client_with_a_code(jeton: Running, visitor: Browser) -> None:
    app, state = add_app(jeton), "ä%20+&=#" * 140
    await visitor.authorize(app, state=state)
    assert visitor.path == "/sign-in"
    await visitor.sign_in()
    assert visitor.path == "/consent"
    await visitor.decide()
    code = visitor.answer["code"]
    assert visitor.answer == {"code": code, "state": state, "iss": ISSUER}
    tokens = await redeem(jeton, app, code)
    assert tokens.status_code == 200, tokens.text
    assert tokens.json()["scope"] == "read"


@pytest.mark.requirement("RR05")
async def test_a_request_that_becomes_too_long_for_the_consent_page_is_refused_at_the_client(
    jeton: Running, visitor: Browser
) -> None:
    """What is asked of the user travels with the request, which fits only until then."""
    app, length = add_app(jeton), 3000
    await visitor.authorize(app, state="x" * length)
    sealed = visitor.form("/sign-in").fields["sealed_request"]
    length += (MAX_SEALED_CHARACTERS - len(sealed)) * 3 // 4 - 8
    await visitor.authorize(app, state="x" * length)

    await visitor.sign_in()

    assert (visitor.answer["error"], len(visitor.answer["state"])) == ("invalid_request", length)


@pytest.mark.requirement("RA05", "RR09", "RR15", "PG04")
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"client_id": "unknown"}, "not known to this server"),
        ({"client_id": None}, "cannot be understood"),
        ({"redirect_uri": None}, "cannot be understood"),
        ({"redirect_uri": "https://evil.example/callback"}, "not registered"),
        ({"response_mode": "fragment"}, "cannot be understood"),
    ],
)
async def test_wrong_client_or_redirect_uri_is_an_error_page(
    jeton: Running, visitor: Browser, wrong: dict[str, str | None], words: str
) -> None:
    app = add_app(jeton, redirect_uris=frozenset({CALLBACK, f"{CALLBACK}/other"}))
    page = await visitor.authorize(app, **wrong)
    assert page.status_code == 400
    assert words in page.text
    assert "evil.example" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-frame-options"] == "DENY"


async def test_unregistered_redirect_uri_is_in_the_log_line_of_the_error_page(jeton: Running, visitor: Browser) -> None:
    uri = "https://evil.example/" + "a" * 1000
    with capture_logs() as lines:
        await visitor.authorize(add_app(jeton), redirect_uri=uri)
    (line,) = (it for it in lines if it["event"] == "page_refused")
    assert line["reason"] == "redirect_uri_not_registered"
    assert line["redirect_uri"] == uri[:200]


@pytest.mark.requirement("I03", "RA11", "RA14", "RA20", "RR05")
@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "unheard-of"}, "invalid_scope"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"state": "x" * 6000}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"resource": "https://other.example"}, "invalid_target"),
    ],
)
async def test_other_errors_go_to_the_client(
    jeton: Running, visitor: Browser, wrong: dict[str, str | None], error: str
) -> None:
    await visitor.authorize(add_app(jeton), **wrong)
    assert (visitor.answer["error"], visitor.answer["iss"]) == (error, ISSUER)
    assert visitor.answer["error_description"].isascii()
    assert visitor.answer["state"] == wrong.get("state", "the state")


@pytest.mark.requirement("OI04")
async def test_prompt_login_requires_a_new_sign_in_that_going_back_does_not_bypass(
    jeton: Running, visitor: Browser
) -> None:
    app = add_app(jeton, first_party=True)
    await visitor.open_account()
    await visitor.authorize(app, prompt="login")
    assert visitor.path == "/sign-in"
    sealed = visitor.form("/sign-in").fields["sealed_request"]
    await visitor.get(AUTHORIZE, sealed_request=sealed)
    assert visitor.path == "/sign-in"
    await visitor.sign_in()
    assert "code" in visitor.answer
    await visitor.authorize(app, prompt="login")
    assert visitor.path == "/sign-in"


@pytest.mark.requirement("OI02")
async def test_prompt_consent_asks_again_and_select_account_offers_another(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton)
    jeton.add_user("bob")
    await visitor.allow(app)
    await visitor.authorize(app, prompt="consent")
    assert "This app asks to" in visitor.page.text
    await visitor.authorize(app, prompt="select_account")
    assert visitor.path == "/consent"
    await visitor.submit("/sign-in/other")
    assert visitor.path == "/sign-in"
    await visitor.sign_in("bob")
    assert "bob" in visitor.page.text
    await visitor.decide()
    assert "code" in visitor.answer


async def test_ui_locales_choose_the_language(jeton: Running, visitor: Browser) -> None:
    await visitor.authorize(add_app(jeton), {"Accept-Language": "en"}, ui_locales="fr de-AT")
    assert '<html lang="de"' in visitor.page.text
    assert visitor.page.headers["content-language"] == "de"


@pytest.mark.requirement("RA01", "RA22")
async def test_posted_request_becomes_a_get_with_cookies(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton, first_party=True)
    await visitor.open_account()
    cross_site = {"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example"}
    without_cookies = await jeton.http.post(AUTHORIZE, data=authorization_parameters(app), headers=cross_site)
    assert without_cookies.status_code == 303
    location = without_cookies.headers["location"]
    await visitor.get(location)
    assert "code" in visitor.answer
    jeton.clock.advance(61)
    assert (await visitor.get(location)).status_code == 400


@pytest.mark.requirement("RR11")
async def test_form_post_answers_with_a_form(jeton: Running, visitor: Browser) -> None:
    app = add_app(jeton, first_party=True)
    await visitor.sign_in_to(app, response_mode="form_post")
    form = visitor.form("/callback")
    assert form.fields.keys() == {"code", "state", "iss"}
    assert "form-action 'self' https://app.example;" in visitor.page.headers["content-security-policy"]


@pytest.mark.requirement("RA04")
async def test_pages_answer_no_preflight(jeton: Running) -> None:
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    response = await jeton.http.options(AUTHORIZE, headers=preflight)
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"
    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.requirement("CO11", "O18", "RR10")
async def test_nothing_secret_is_logged(jeton: Running, visitor: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    app = add_app(jeton)
    await visitor.authorize(app, state="canary-state", login_hint="canary-hint", nonce="canary-nonce")
    sealed = visitor.form("/sign-in").fields["sealed_request"]
    await visitor.sign_in("canary-name", "canary-password")
    await visitor.sign_in()
    await visitor.decide()
    code = visitor.answer["code"]
    await visitor.get(AUTHORIZE, sealed_request="canary-sealed")
    answers = [(await redeem(jeton, app, code, code_verifier=it)).text for it in (VERIFIER[::-1], VERIFIER, VERIFIER)]
    logged = capsys.readouterr().out
    assert {it for it in ("code_issued", "code_reused") if f'"{it}"' not in logged} == set()
    secrets = (
        code,
        sealed,
        PASSWORD,
        "canary",
        VERIFIER,
        VERIFIER[::-1],
        "challenge",
        *(it.value or "" for it in visitor.http.cookies.jar),
    )
    assert [it for it in secrets if it in logged] == []
    assert [it for it in (code, VERIFIER, CHALLENGE, "canary") if it in "".join(answers)] == []


async def test_failure_is_a_page_with_a_reference_that_is_in_the_log(
    logged: WrittenLog, jeton: Running, visitor: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await visitor.get("/me")
    monkeypatch.setattr(
        type(jeton.server.parts.logins.by_browser), "find", Mock(side_effect=RuntimeError("secret detail"))
    )
    page = await visitor.get("/me")
    (reference,) = re.findall(r"<code>([0-9A-Z]{4}-[0-9A-Z]{4})</code>", page.text)
    assert page.status_code == 500
    assert "secret detail" not in page.text
    assert [it["request_id"] for it in logged.lines("server_error")] == [reference]


@pytest.mark.requirement("RI01", "RI03", "PR01")
async def test_resource_of_this_server_s_metadata_can_be_named_where_tokens_are_for_it_anyway(
    jeton: Running, visitor: Browser
) -> None:
    own = str((await jeton.http.get("/.well-known/oauth-protected-resource")).json()["resource"])
    app, other = add_app(jeton), add_app(jeton, "other", audience=("https://api.example",))

    tokens = (await redeem(jeton, app, await visitor.allow(app, resource=own), resource=own)).json()
    refreshed = await jeton.refreshed(app, tokens["refresh_token"], resource=own + "/")
    by_password = await jeton.log_in(jeton.add_client("own"), resource=own)

    assert {jeton.claims(it["access_token"])["aud"] for it in (tokens, refreshed, by_password)} == {ISSUER}
    await visitor.authorize(other, resource=own)
    assert visitor.answer["error"] == "invalid_target"
    assert outcome(await redeem(jeton, other, await visitor.allow(other), resource=own)) == (400, "invalid_target")
